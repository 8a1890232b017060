"""Backends compared: each trains in a process of its own; then their time, CPU seconds, curves and evaluations."""
