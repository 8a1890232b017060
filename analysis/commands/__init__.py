"""The commands of orz-analysis: thin shells that parse options, call one function and print what it returns."""
