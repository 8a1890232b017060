"""Training problems and rollouts: prompts in a seeded order, generation, grading and rewards, saved step by step."""
