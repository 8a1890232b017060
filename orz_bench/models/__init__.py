"""The files of a checkpoint, read without any engine's library: what they are, whether they are whole, whose they are.

Given a folder, these modules return its weight files, its identity, its training step and its limits, and a remedy for
a folder that is something else.
"""
