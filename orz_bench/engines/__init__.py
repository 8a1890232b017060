"""What turns requests into completions: vllm, transformers, openai (any compatible server), ray, fake."""
