r"""Fast comparison of short answers: numbers by value, option letters, else text. It may return "unknown".

This is not a grader: `\frac{\sqrt{8}}{2}` and `\sqrt{2}` are two texts whose equality is unknown.
"""

from __future__ import annotations

import re
from fractions import Fraction

_MAX_CHARS = 200
_MAX_DIGITS = 40
"""Longer numbers are compared as text: converting them to integers is not worth its cost."""
_NUMBER = r"\d{1,3}+(?:(?:,|\{,\}|\\,)\d{3})++(?:\.\d++)?|\d++(?:\.\d++)?|\.\d++"
_FRACTION = r"\\[dt]?frac(?:\{-?\d++\}\{\d++\}|\d\d)|\d++/\d++"
VALUE = rf"(?>[-+−]?(?:{_FRACTION}|{_NUMBER}))"
"""A number as written by people and models: `-1,234.5`, `3/4`, `\\frac{3}{4}`."""
_VALUE = re.compile(rf"({VALUE})(?:\\?%)?")
_OPTION = re.compile(r"\(?([A-J])\)?")
_DECORATION = re.compile(r"\\left|\\right|\\[,;:! ]|\\(?:text|mathrm|mathbf|textbf)(?=\{)|[\s$*]+|\\[()\[\]]")

Answer = Fraction | str


def read_answer(text: str) -> Answer:
    r"""A number as a Fraction (`50\%` is 50), an option as its letter, anything else as text without markup.

    Linear in the length of the text; above 200 characters it is text without spaces.
    """
    if len(text) > _MAX_CHARS:
        return "".join(text.split())
    bare = _DECORATION.sub("", text).removesuffix(".")
    bare = bare[1:-1] if bare.startswith("{") and bare.endswith("}") and "}" not in bare[:-1] else bare
    bare = bare.removesuffix(r"^\circ").removesuffix("°")
    if option := _OPTION.fullmatch(bare):
        return option[1]
    number = _VALUE.fullmatch(bare)
    return _fraction(number[1]) if number and sum(map(str.isdigit, bare)) <= _MAX_DIGITS else bare


def _fraction(number: str) -> Answer:
    is_negative = (number[0] in "-−") != ("{-" in number)
    if "frac" in number or "/" in number:
        digits = re.findall(r"\d+", number)
        over, under = digits if len(digits) == 2 else digits[0]
        size = Fraction(int(over), int(under)) if int(under) else None
    else:
        size = Fraction(re.sub(r"[^\d.]", "", number))
    if size is None:
        return number
    return -size if is_negative else size


def same_answer(one: str, other: str) -> bool | None:
    """Whether two answers are equal; None if they are written differently and are not both numbers or both options."""
    first, second = read_answer(one), read_answer(other)
    if first == second:
        return True if first != "" else None
    both_numbers = isinstance(first, Fraction) and isinstance(second, Fraction)
    return False if both_numbers or (_is_option(first) and _is_option(second)) else None


def _is_option(answer: Answer) -> bool:
    return isinstance(answer, str) and _OPTION.fullmatch(answer) is not None
