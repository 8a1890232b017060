"""Builders, runs, models and commands that several tests share."""
