"""The commands of orz-rl; each parses options, calls one function and prints the result."""
