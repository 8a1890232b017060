"""What a response contains: its final answer, letter or program, its reasoning, its form."""
