r"""Verdicts that need no computer algebra: the same typesetting, and two plain numbers. Silent wherever it cannot be sure."""

from __future__ import annotations

import re
from fractions import Fraction

_DIGITS = r"\d{1,30}"
_PLAIN_NUMBER = re.compile(
    rf"(?P<sign>[-+]?)(?:(?P<decimal>{_DIGITS}(?:\.{_DIGITS})?)"
    rf"|\\frac{{(?P<above>{_DIGITS})}}{{(?P<below>{_DIGITS})}}|(?P<over>{_DIGITS})/(?P<under>{_DIGITS}))(?:\^\\circ)?"
)
_SURELY_DIFFERENT = Fraction(1, 100_000)
"""Math-Verify rounds decimals to six places: numbers farther apart than this never agree."""

_SIZES = re.compile(r"\\(?:left|right|big|Big|bigg|Bigg)(?![A-Za-z])|\\[!;:]")
_FRACTIONS = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_SHORT_FRACTION = re.compile(r"\\frac ?([1-9]) ?([1-9])(?!\d)")
_SPACE = re.compile(r"(?<![A-Za-z0-9\\]) +| +(?![A-Za-z0-9])")
_NUMBER_BESIDE_COMMAND = re.compile(r"(?<=\d) (?=\\)")


def quick_verdict(gold: str, answer: str) -> tuple[bool, str] | None:
    """(is correct, why) for normalised texts, or None where Math-Verify has to decide."""
    left, right = same_typesetting(gold), same_typesetting(answer)
    if left == right:
        return (True, "same text") if left else None
    numbers = _number(left), _number(right)
    if numbers[0] is None or numbers[1] is None:
        return None
    difference = abs(numbers[0] - numbers[1])
    if difference == 0:
        return True, "same number"
    is_exact = "." not in left and "." not in right
    return (False, "another number") if is_exact or difference > _SURELY_DIFFERENT else None


def same_typesetting(text: str) -> str:
    r"""One spelling of formulas that print alike: no \left and \right, \frac for \dfrac, no spaces that TeX ignores."""
    if "\\text" in text or "\\mbox" in text:
        return text
    text = _FRACTIONS.sub(r"\\frac", _SIZES.sub("", text))
    text = _SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)
    return _NUMBER_BESIDE_COMMAND.sub("", _SPACE.sub("", text))


def _number(text: str) -> Fraction | None:
    match = _PLAIN_NUMBER.fullmatch(text)
    if match is None:
        return None
    parts = match.groupdict()
    above, below = parts["above"] or parts["over"], parts["below"] or parts["under"]
    if above is not None and int(below) == 0:
        return None
    value = Fraction(parts["decimal"]) if above is None else Fraction(int(above), int(below))
    return -value if parts["sign"] == "-" else value
