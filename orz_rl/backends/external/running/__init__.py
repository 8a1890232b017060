"""A trainer as a program: which interpreter runs it, its start and end, and the run directory that is written meanwhile."""
