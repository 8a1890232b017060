"""Reads finished or running runs and returns tables, figures and reports: orz-analysis."""
