"""Trains a model with orz_bench's grades as reward. Not yet built: this package is empty."""
