"""Summaries of evaluations: statistics, comparisons, reports, published baselines, and the flow of a curation."""
