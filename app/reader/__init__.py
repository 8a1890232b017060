"""Model text for a page: layers of marks, LaTeX, word differences. All output is escaped and inert."""
