"""Killable worker processes that judge answers."""
