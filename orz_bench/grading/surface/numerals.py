r"""Numbers that Math-Verify's grammar cannot read: 1 1/4, 0.\overline{3}, 0.333..., 1,000, 30 degrees."""

from __future__ import annotations

import re
from fractions import Fraction

_MIXED = re.compile(
    r"(?<![\d.}_^a-zA-Z/])(\d{1,9})\s*\\frac\{(\d{1,9})\}\{(\d{1,9})\}|(?<![\d.}_^a-zA-Z/])(\d{1,9})\s+(\d{1,9})\s*/\s*(\d{1,9})(?![\d^])"
)
_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?![\d,])")
_REPEATING = re.compile(r"(\d*)\.(\d*)(?:\\(?:overline|bar|dot)\{(\d+)\}|\((\d+)\)|\\overline (\d))")
_TWO_DOTS = re.compile(r"(\d*)\.(\d*)\\dot\{(\d)\}(\d*)\\dot\{(\d)\}")
_DOTTED = re.compile(r"(?<![\d.])(\d*)\.(\d{2,})(?:\\ldots|\.\.\.+)")
_DEGREES = re.compile(r"([0-9]+(?:\.[0-9]+)?|\\frac\{[0-9]+\}\{[0-9]+\}|\([^()]*\))\s*\^\{\\circ\}")
_DOT_FIRST = re.compile(r"(?<![\d.])\.(?=\d)")
_MAX_PERIOD_CHARS = 60


def in_latex(text: str) -> str:
    """The same mathematics in notation that the LaTeX grammar reads unambiguously."""
    text = _DOT_FIRST.sub("0.", text)
    if "\\dot" in text or "\\overline" in text or "\\bar" in text or "(" in text:
        text = _REPEATING.sub(_read_repeating, _TWO_DOTS.sub(_read_two_dots, text))
    if "..." in text or "\\ldots" in text:
        text = _DOTTED.sub(_read_dotted, text)
    text = _MIXED.sub(_read_mixed, text)
    return _DEGREES.sub(r"(\\frac{\1 \\pi}{180})", text) if "\\circ" in text else text


def without_thousands(text: str) -> str:
    """The commas of 1,234,567 removed, outside of all brackets: inside, they separate elements."""
    if "," not in text:
        return text
    parts, place, depth = [], 0, 0
    for found in _THOUSANDS.finditer(text):
        between = text[place : found.start()]
        depth += _opened(between)
        parts += [between, found.group().replace(",", "") if depth <= 0 else found.group()]
        place = found.end()
    return "".join([*parts, text[place:]])


def _opened(text: str) -> int:
    return (
        sum(text.count(char) for char in "([")
        - sum(text.count(char) for char in ")]")
        + text.count("\\{")
        - text.count("\\}")
    )


def _read_mixed(found: re.Match[str]) -> str:
    whole, top, bottom = (group for group in found.groups() if group is not None)
    if int(bottom) == 0 or int(top) >= int(bottom):
        return found.group()
    return f"({whole}+\\frac{{{top}}}{{{bottom}}})"


def _read_repeating(found: re.Match[str]) -> str:
    whole, first = found[1], found[2]
    period = found[3] or found[4] or found[5]
    return _latex(_repeating(whole, first, period=period))


def _read_two_dots(found: re.Match[str]) -> str:
    return _latex(_repeating(found[1], found[2], period=found[3] + found[4] + found[5]))


def _read_dotted(found: re.Match[str]) -> str:
    """0.1666... by its shortest period, if that occurs three times (twice, if it is longer than one digit)."""
    whole, digits = found[1], found[2][:_MAX_PERIOD_CHARS]
    for length in range(1, len(digits) // 2 + 1):
        period = digits[-length:]
        count = 1
        while digits.endswith(period * (count + 1)):
            count += 1
        if count >= (2 if length > 1 or len(digits) == 2 else 3):
            return _latex(_repeating(whole, digits[: len(digits) - length * count], period=period))
    return found.group()


def _repeating(whole: str, first: str, *, period: str) -> Fraction:
    scale = 10 ** len(first)
    start = Fraction(int((whole or "0") + first), scale)
    return start + Fraction(int(period), scale * (10 ** len(period) - 1))


def _latex(number: Fraction) -> str:
    return f"\\frac{{{number.numerator}}}{{{number.denominator}}}"
