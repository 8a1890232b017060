"""Run an untrusted program: one process, its standard streams, and nothing else (docs/security.md)."""
