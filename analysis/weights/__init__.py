"""Weights that moved between two checkpoints, read from their files one tensor at a time; no torch."""
