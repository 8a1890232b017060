"""Curated training data: where the sets are, and their cards, fates and pairs, read by DuckDB a page at a time."""
