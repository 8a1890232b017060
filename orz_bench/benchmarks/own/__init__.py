"""A user's own table (a file, or one of a hub dataset) as a benchmark or as training problems: its columns are found or
named, never guessed.
"""
