"""A trainer as a program: its interpreter, its start and end, and the run directory that is written meanwhile."""
