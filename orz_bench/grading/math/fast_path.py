"""Verdicts reached without Math-Verify, where it provably agrees.

These are: identical text, two plain numbers (integers, decimals, simple fractions) that are exactly equal, and two
constants that differ by more than any rounding. Everything else is None here and goes to the workers.
"""

from __future__ import annotations

import re
from fractions import Fraction

from orz_bench.grading.jobs import Reply
from orz_bench.grading.surface.compare import Comparer, Outcome, alike, unlike
from orz_bench.grading.surface.constants import Constant, read_constant, surely_differ
from orz_bench.grading.surface.read_surface import read_surface
from orz_bench.grading.surface.text_key import text_key

_MAX_KEY_CHARS = 4_096
_INTEGER_OR_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(-?[0-9]{1,4})\}\{([0-9]{1,4})\}|()(-?[0-9]{1,4})/([0-9]{1,4})")

_NAME = re.compile(r"[a-df-hj-zA-Z]")
"""A letter that is not a constant (e, i)."""


def same_text(gold: str, answer: str) -> Reply | None:
    """The verdict for identical text or the same plain number; None for anything else."""
    if gold == answer:
        return Reply("correct", "same text")
    if len(answer) > _MAX_KEY_CHARS:
        return None
    if text_key(gold) == text_key(answer):
        return Reply("correct", "same text")
    number = plain_number(gold)
    return Reply("correct", "same number") if number is not None and number == plain_number(answer) else None


def quick_reply(gold: str, answer: str) -> Reply | None:
    """The verdict if it is certain without parsing, or None."""
    return same_text(gold, answer) or compared(gold, answer)


def compared(gold: str, answer: str) -> Reply | None:
    """The verdict on two texts by their content, if no parser for mathematics is needed; otherwise None."""
    if len(answer) > _MAX_KEY_CHARS:
        return None
    try:
        outcome = _QUICK.compare(read_surface(gold), read_surface(answer))
    except _UndecidedError:
        return None
    except Exception:  # the worker runs into the same error and reports it
        return None
    if outcome.is_equal:
        return Reply("correct", outcome.why)
    return Reply("wrong" if outcome.is_readable else "unparseable", outcome.why)


def known_outcome(gold: str, answer: str) -> Outcome | None:
    """Whether two pieces of LaTeX are equal, if no parser is needed to decide that; otherwise None."""
    if gold == answer:
        return alike("same text")
    wanted, found = plain_number(gold), plain_number(answer)
    if wanted is not None and wanted == found:
        return alike("same number")
    if _NAME.fullmatch(gold) and (found is not None or _NAME.fullmatch(answer)):
        return unlike("different name" if found is None else "a number, but the gold is a name")
    if wanted is not None and _NAME.fullmatch(answer):
        return unlike("a name, but the gold is a number")
    one = _constant(gold, wanted)
    other = _constant(answer, found) if one else None
    return unlike("different numbers") if one and other and surely_differ(one, other) else None


class _UndecidedError(Exception):
    """A parser is needed to decide."""


def _known_or_undecided(gold: str, answer: str) -> Outcome:
    outcome = known_outcome(gold, answer)
    if outcome is None:
        raise _UndecidedError
    return outcome


def _undecided(_gold: str, _answer: str) -> Outcome:
    raise _UndecidedError


_QUICK = Comparer(_known_or_undecided, _undecided)


def plain_number(text: str) -> Fraction | None:
    r"""The value of -12, 073, 1.50, \frac{1}{2}, -\frac{1}{2} or 1/2; None for any other text."""
    if _INTEGER_OR_DECIMAL.fullmatch(text):
        return Fraction(text)
    if not (match := _FRACTION.fullmatch(text)):
        return None
    sign, top, bottom = (group for group in match.groups() if group is not None)
    return Fraction(int(sign + "1") * int(top), int(bottom)) if int(bottom) else None


def _constant(text: str, number: Fraction | None) -> Constant | None:
    return Constant(float(number), abs(float(number))) if number is not None else read_constant(text)
