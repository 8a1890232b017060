"""Read what a written answer means before any mathematics: lists, units, words, names, typesetting."""
