"""The commands of orz-bench, each a thin shell that parses options, calls one function and prints what it returns."""
