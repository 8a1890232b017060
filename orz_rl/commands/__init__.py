"""The commands of orz-rl, each a thin shell that parses options, calls one function and prints what it returns."""
