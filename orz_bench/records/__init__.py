"""The data contracts: records exchanged between processes, files and packages."""
