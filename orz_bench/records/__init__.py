"""The data contracts: what crosses a border between processes, files and packages."""
