"""Does a model know a benchmark by heart: questions completed from their beginnings, answers without the question, and how old it is"""
