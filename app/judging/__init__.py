"""Annotations of rollouts by people, and scores with their verdicts."""
