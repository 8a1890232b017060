r"""The approximate value of a simple LaTeX constant, such as -\frac{1+\sqrt{5}}{2} or 12\pi, without a full parser.

Only unambiguous notation is read: a mixed number, a slash or a letter gives None. Values are floats, which can show
that two constants differ, never that they are equal.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

_TOKEN = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,15})?|\\[dtc]?frac|\\sqrt|\\pi|\\cdot|\\times|[-+^(){}\[\]])")
_DECORATION = re.compile(r"\\left(?=\()|\\right(?=\))|\\[,!]|\^\s*(?:\\circ|\{\s*\\circ\s*\})\s*$")
_MAX_CHARS = 200
_MAX_EXPONENT = 64
_RELATIVE_MARGIN = 1e-6
_ABSOLUTE_MARGIN = 1e-4
"""Math-Verify rounds decimals to six places."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value and the largest intermediate number, which bounds the rounding error."""

    value: float
    largest: float


def read_constant(text: str) -> Constant | None:
    """The value of a short LaTeX constant; None for anything else."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        reader = _Reader(_tokens(_DECORATION.sub(" ", text)))
        value = reader.read_sum()
        is_whole = not reader.tokens
    except (_NotAConstantError, ArithmeticError, ValueError):
        return None
    return Constant(value, reader.largest) if is_whole and math.isfinite(reader.largest) else None


def surely_differ(one: Constant, other: Constant) -> bool:
    """Whether two constants differ by more than any rounding, theirs or that of a comparison."""
    margin = _RELATIVE_MARGIN * max(abs(one.value), abs(other.value)) + 1e-9 * max(one.largest, other.largest)
    return abs(one.value - other.value) > margin + _ABSOLUTE_MARGIN


class _NotAConstantError(Exception):
    """The text is not a constant, or is ambiguous."""


def _tokens(text: str) -> list[str]:
    """Tokens in reverse order, to be popped."""
    found: list[str] = []
    position, text = 0, text.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _NotAConstantError
        found.append(match.group(1))
        position = match.end()
    return found[::-1]


@dataclass(slots=True)
class _Reader:
    tokens: list[str]
    largest: float = field(default=1.0)

    def read_sum(self) -> float:
        total = self._signed_product()
        while self._next() in ("+", "-"):
            sign = self.tokens.pop()
            term = self._product()
            total = self._note(total + term if sign == "+" else total - term)
        return total

    def _signed_product(self) -> float:
        if self._next() == "-":
            self.tokens.pop()
            return -self._product()
        return self._product()

    def _product(self) -> float:
        product = self._power()
        while (token := self._next()) is not None and token not in "+-)}]":
            if token in ("\\cdot", "\\times"):
                self.tokens.pop()
            elif token[0].isdigit() or token.endswith("frac"):
                raise _NotAConstantError  # 2 3, or 2\frac{1}{2}, which may be a mixed number
            product = self._note(product * self._power())
        return product

    def _power(self) -> float:
        base = self._atom()
        if self._next() != "^":
            return base
        self.tokens.pop()
        exponent = self._argument()
        if exponent != int(exponent) or abs(exponent) > _MAX_EXPONENT or self._next() == "^":
            raise _NotAConstantError
        return self._note(base ** int(exponent))

    def _atom(self) -> float:
        token = self._pop()
        if token[0].isdigit():
            return self._note(float(token))
        if token == "\\pi":
            return math.pi
        if token == "(":
            return self._until(")")
        if token.endswith("frac"):
            return self._note(self._argument() / self._argument())
        if token == "\\sqrt":
            return self._root()
        raise _NotAConstantError

    def _root(self) -> float:
        degree = 2.0
        if self._next() == "[":
            self.tokens.pop()
            degree = self._until("]")
        if degree != int(degree) or degree < 2:
            raise _NotAConstantError
        radicand = self._argument()
        if radicand < 0:
            raise _NotAConstantError
        return self._note(radicand ** (1 / degree))

    def _argument(self) -> float:
        """A group in braces, or one digit."""
        token = self._pop()
        if token == "{":
            return self._until("}")
        if len(token) == 1 and token.isdigit():
            return float(token)
        raise _NotAConstantError  # as in \frac12, whose digits the tokens have joined

    def _until(self, closing: str) -> float:
        value = self.read_sum()
        if self._pop() != closing:
            raise _NotAConstantError
        return value

    def _note(self, value: float) -> float:
        self.largest = max(self.largest, abs(value))
        return value

    def _next(self) -> str | None:
        return self.tokens[-1] if self.tokens else None

    def _pop(self) -> str:
        if not self.tokens:
            raise _NotAConstantError
        return self.tokens.pop()
