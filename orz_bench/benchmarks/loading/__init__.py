"""Find, fetch and read benchmark data files."""
