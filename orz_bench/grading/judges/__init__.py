"""One judge per kind of answer: it extracts an answer, compares it with the gold, and checks golds."""
