"""Run a program that nobody trusts: one process, its standard streams, and nothing else (docs/security.md)."""
