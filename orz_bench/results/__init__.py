"""Summaries of evaluations: statistics, comparisons, reports and published baselines."""
