"""Does a model need the thought: stored thoughts are cut, perturbed or shortened, and the model answers again."""
