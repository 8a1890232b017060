"""Model text on a page: layers of marks over it, LaTeX, word differences. Everything comes out escaped and inert."""
