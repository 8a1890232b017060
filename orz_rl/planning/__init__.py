"""Estimates of a configuration's batches, memory and time, made before anything starts."""
