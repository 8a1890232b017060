"""Read finished or running runs and return tables, figures and reports: orz-analysis."""
