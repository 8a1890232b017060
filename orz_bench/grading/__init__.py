"""Decide whether an answer is right: extraction, letters, mathematical equality in killable processes."""
