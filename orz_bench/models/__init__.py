"""The files of a checkpoint, read without any engine's library: what they are, whether they are whole, whose they are.

In goes a folder; out come its weight files, its identity, its training step, its limits, and what to do with a folder
that is something else.
"""
