"""Does training narrow what a model can solve: pass@k and Cover@tau of two models, where they cross, the support."""
