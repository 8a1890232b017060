"""Refuse answers that no reader would call an answer, before any parser sees them; linear in their (capped) length.

The caps only spare work: what slips through is ended by the workers' deadline and memory limit.
"""

from __future__ import annotations

import math
import re

MAX_CHARS = 4_096
MAX_NESTING = 64
MAX_DIGITS = 256
MAX_POWER_BITS = 4_096
MAX_FACTORIAL = 5_000
"""Beyond MAX_POWER_BITS on purpose: answers such as 1/2004! exist, and comparing them is cheap."""

_LONG_NUMBER = re.compile(rf"\d{{{MAX_DIGITS + 1}}}")
_POWERS = re.compile(r"\d+(?:[\s)}\]]*(?:\^|\*\*)[\s({\[+-]*\d+)+")
_FACTORIAL = re.compile(r"(\d+)[\s)}\]]*!")
_OPENING, _CLOSING = "([{", ")]}"


def why_refused(answer: str) -> str | None:
    """Why this answer is not even parsed, or None where it is within the caps."""
    if len(answer) > MAX_CHARS:
        return f"the answer has {len(answer):,} characters, more than {MAX_CHARS:,}"
    if (depth := _nesting(answer)) > MAX_NESTING:
        return f"the answer nests {depth} brackets, more than {MAX_NESTING}"
    if _LONG_NUMBER.search(answer):
        return f"the answer has a number of more than {MAX_DIGITS} digits"
    if any(_bits(match.group()) > MAX_POWER_BITS for match in _POWERS.finditer(answer)):
        return f"the answer has a power of more than {MAX_POWER_BITS:,} bits"
    if any(int(match.group(1)) > MAX_FACTORIAL for match in _FACTORIAL.finditer(answer)):
        return f"the answer has a factorial beyond {MAX_FACTORIAL:,}!"
    return None


def _nesting(text: str) -> int:
    depth = deepest = 0
    for char in text:
        if char in _OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif char in _CLOSING:
            depth = max(0, depth - 1)
    return deepest


def _bits(powers: str) -> float:
    """The size of `a^b^c`, read as a^(b^c), or as (a^b)^c where a bracket closes before the second `^`."""
    base, *middle, last = re.split(r"\^|\*\*", powers)
    exponent = float(_number(last))
    try:
        for part in reversed(middle):
            closes = part.rstrip()[-1] in _CLOSING
            exponent = exponent * _number(part) if closes else float(_number(part)) ** exponent
        return exponent * math.log2(max(_number(base), 1))
    except OverflowError:
        return math.inf


def _number(text: str) -> int:
    return int(re.sub(r"\D", "", text) or 0)
