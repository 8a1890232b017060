"""Whether two mathematical answers are equal, with Math-Verify."""
