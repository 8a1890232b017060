"""Curves of runs over steps: one study a run, trends, step moments, comparisons."""
