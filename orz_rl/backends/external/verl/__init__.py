"""verl: its settings, its backend, and the agent loop that it loads."""
