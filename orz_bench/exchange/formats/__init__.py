"""Files of other tools, one small module each: how a file is recognised, and how its rows become samples or curves."""
