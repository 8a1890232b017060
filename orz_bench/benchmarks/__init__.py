"""One file each: what a benchmark asks, where its data come from, and how its answers are compared."""
