"""Logs of trainings: what a line or a record says about a step, and how the logs of one training are joined."""
