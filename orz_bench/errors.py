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


def counted(number: int, noun: str, *, verb: tuple[str, str] | None = None) -> str:
    """`1 step`, `2,000 steps`; with the verb ("is", "are"): `1 step is`, `2,000 steps are`."""
    is_one = number == 1
    return f"{number:,} {noun if is_one else plural(noun)}" + (f" {verb[not is_one]}" if verb is not None else "")


def plural(noun: str) -> str:
    """`steps`, `entries`."""
    ends_in_consonant_y = noun.endswith("y") and noun[-2:-1] not in "aeiou"
    return f"{noun[:-1]}ies" if ends_in_consonant_y else f"{noun}s"


def nearest(name: str, names: Iterable[str]) -> str:
    """` (did you mean 'x'?)` after the wrong name's sentence in an error message, or nothing if no name is near."""
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return suggestion(close[0]) if close else ""


def suggestion(name: str) -> str:
    """` (did you mean 'x'?)`: whatever follows it, a full stop, a semicolon or a comma, reads right."""
    return f" (did you mean {name!r}?)"
