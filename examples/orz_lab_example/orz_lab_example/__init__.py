"""What another package can add to orz: one object in each module, named in pyproject.toml."""
