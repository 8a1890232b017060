"""The figures of the Open-Reasoner-Zero paper and ours: each is a small function from runs to a FigureSpec."""
