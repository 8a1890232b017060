"""Grading of programs: where the code is in a response, its tests, LiveCodeBench's rules of comparison, the verdict."""
