"""The report: one page that answers whether a run learned, when, how, and whether reflection improves answers."""
