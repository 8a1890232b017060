"""Curves of runs over steps: one study per run, trends, step moments, comparisons."""
