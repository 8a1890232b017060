"""Every error that a user or a file can cause.

A message says what was found, what was wanted and what to do. Command lines print it without a traceback and exit
with code 2; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class OrzError(Exception):
    """The parent of all errors that are not bugs."""


class ConfigError(OrzError):
    """An option, a name or a combination of settings that cannot work."""


class RecordError(OrzError):
    """A record whose fields contradict each other."""


class GradingError(OrzError):
    """The grading machinery failed (a wrong or odd answer is a verdict, never an error)."""


class EngineError(OrzError):
    """A generation engine is missing, cannot start, or broke."""


class RunDirError(OrzError):
    """A run directory cannot be read or written."""


class DataError(OrzError):
    """A benchmark's data are missing, broken or not what they should be."""


def counted(number: int, noun: str) -> str:
    """`1 step`, `2,000 steps`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def nearest(name: str, names: Iterable[str]) -> str:
    """`; did you mean 'x'?` for an error message, or nothing if no name is near."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else ""
