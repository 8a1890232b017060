"""The folder of runs, and the data behind the pages on whole runs."""
