"""The names of suites. Imports nothing heavy."""

from __future__ import annotations

SUITES = ("paper", "knowledge", "quick")
"""The suites of the package."""
_SUFFIXES = (".yaml", ".yml")


def is_suite(name: str) -> bool:
    """Whether `--bench` names a suite."""
    return name in SUITES or name.lower().endswith(_SUFFIXES)
