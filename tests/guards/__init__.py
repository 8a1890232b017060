"""Guards: the house rules that no linter checks, as tests that read the tree."""
