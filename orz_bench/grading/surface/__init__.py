"""What a written answer says before any mathematics: lists, units, words, names, typesetting."""
