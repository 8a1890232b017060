"""Find the parts of a response: its final answer, letter or program, its reasoning, its format."""
