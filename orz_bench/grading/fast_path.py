"""Verdicts that need no Math-Verify because it provably agrees, and the memory of those that did need it.

Provable are: the same text, two plain numbers (integers, decimals, simple fractions) that are exactly equal, and two
constants that are too far apart for any rounding. Everything else is None here and goes to the workers.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Hashable
from fractions import Fraction
from typing import Generic, TypeVar

from orz_bench.grading.constants import Constant, read_constant, surely_differ
from orz_bench.grading.jobs import Reply
from orz_bench.grading.text_key import plain_latex, text_key

_MAX_KEY_CHARS = 4_096
_INTEGER_OR_DECIMAL = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\{(-?[0-9]{1,4})\}\{([0-9]{1,4})\}|()(-?[0-9]{1,4})/([0-9]{1,4})")

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


def quick_reply(gold: str, answer: str) -> Reply | None:
    """The verdict where it is certain without parsing."""
    if gold == answer or (len(answer) <= _MAX_KEY_CHARS and text_key(gold) == text_key(answer)):
        return Reply("correct", "same text")
    if len(answer) > _MAX_KEY_CHARS:
        return None
    gold, answer = plain_latex(gold), plain_latex(answer)
    if (number := plain_number(answer)) is not None and number == plain_number(gold):
        return Reply("correct", "same number")
    wanted = _constant(gold)
    found = _constant(answer) if wanted else None
    return Reply("wrong", "different numbers") if wanted and found and surely_differ(wanted, found) else None


def plain_number(text: str) -> Fraction | None:
    r"""The value of -12, 073, 1.50, \frac{1}{2}, -\frac{1}{2} or 1/2; None for any other text."""
    text = plain_latex(text)
    if _INTEGER_OR_DECIMAL.fullmatch(text):
        return Fraction(text)
    if not (match := _FRACTION.fullmatch(text)):
        return None
    sign, top, bottom = (group for group in match.groups() if group is not None)
    return Fraction(int(sign + "1") * int(top), int(bottom)) if int(bottom) else None


def _constant(text: str) -> Constant | None:
    number = plain_number(text)
    return Constant(float(number), abs(float(number))) if number is not None else read_constant(text)


class Memo(Generic[K, V]):
    """A bounded mapping that forgets what was used longest ago; usable from any thread."""

    def __init__(self, max_entries: int) -> None:
        self._max_entries = max_entries
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: K) -> V | None:
        """What was remembered under this key."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember, and forget the oldest entries beyond the limit."""
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
