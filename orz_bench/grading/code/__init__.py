"""Programs: their runs in the sandbox against their tests, and LiveCodeBench's rules of comparison."""
