"""Trains language models by reinforcement learning, with the verdicts of orz_bench's grader as reward."""
