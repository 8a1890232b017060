"""Trains a model with orz_bench's grades as reward. Today: its tensor functions, in orz_rl.ppo; no trainer yet."""
