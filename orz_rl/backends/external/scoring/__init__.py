"""What another trainer gets from us while it runs: prompts, and rewards for its responses, which are written down."""
