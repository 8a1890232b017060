"""Decide whether an answer is right: one judge per kind of answer, with libraries in killable processes."""
