"""The figures of the Open-Reasoner-Zero paper, each a small function from runs to what is drawn."""
