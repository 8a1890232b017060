"""Rollouts and evaluations of a run in the formats of other tools."""
