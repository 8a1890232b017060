"""Trainers behind one protocol: each turns a configuration into a run directory. Ours is `native`."""
