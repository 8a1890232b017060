"""Answers to learn from: stored rollouts are read, the right ones chosen, and the fate of each is kept."""
