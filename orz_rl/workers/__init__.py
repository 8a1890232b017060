"""Policy, critic and reference on DeepSpeed engines: what runs in the processes that hold the models."""
