"""The runs folder, and the data of the pages about whole runs."""
