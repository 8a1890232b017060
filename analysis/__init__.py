"""Reads finished or running runs and returns tables and figures. Not yet built: this package is empty."""
