"""Does a model know a benchmark by heart: questions completed and answered from their beginnings, and their age"""
