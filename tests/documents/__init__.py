"""The documents: numbers from records, parts and pages written from the code, commands that are run, and the site."""
