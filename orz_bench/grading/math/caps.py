"""Reject answers that are too large to be meant as answers, before parsing; linear in their (capped) length.

The caps only save work: workers also have a deadline and a memory limit. An answer with the text of its gold is correct
before any cap applies (see fast_path.py).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

MAX_CHARS = 4_096
MAX_NESTING = 64
MAX_DIGITS = 256
MAX_POWER_BITS = 32_768
MAX_FACTORIAL = 5_000
"""Answers such as 1/2004! occur and are cheap to compare; so are powers up to MAX_POWER_BITS, such as 7^{2020}."""
MAX_BINOMIAL = 20_000
"""Limit for the smaller of k and n - k."""
MAX_EXPONENT = 20_000
"""Limit for the exponent of a name, or of a sum that contains names."""
MAX_TOWER = 6
"""Nested exponents that contain names."""
MAX_ROOTS = 40
"""Nested roots."""
MAX_TERMS, MAX_FACTORS = 10_000, 100_000
"""MAX_TERMS: of sums and products whose terms are not polynomials. MAX_FACTORS: of any product."""

_LONG_NUMBER = re.compile(rf"[0-9]{{{MAX_DIGITS + 1}}}")
_OPENING, _CLOSING = "([{", ")]}"
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[0-9]+(?:\.[0-9]+)?|\*\*|[A-Za-z]|\S", re.DOTALL)
_SIZES = re.compile(r"\\(?:left|right|[bB]igg?[lr]?|limits|nolimits|displaystyle)(?![A-Za-z])")
_CHOOSE = re.compile(r"\{([^{}]*)\\choose(?![A-Za-z])([^{}]*)\}")
_BETWEEN_TERMS = frozenset(("+", "-", ",", ";", "=", "<", ">", "&", "|", r"\\", r"\pm", r"\mp", r"\cup", r"\cap"))
_NAMED_CONSTANTS = frozenset("ei")
_FRACTIONS = frozenset((r"\frac", r"\dfrac", r"\tfrac", r"\cfrac"))
_BINOMIALS = frozenset((r"\binom", r"\dbinom", r"\tbinom"))
_NO_POLYNOMIAL = re.compile(r"\\(?!cdot|times)[A-Za-z]+|[/!]|\^\s*\{?\s*[A-Za-z]")


def why_refused(answer: str) -> str | None:
    """Why this answer is not parsed; None if it is within the caps."""
    if len(answer) > MAX_CHARS:
        return f"the answer has {len(answer):,} characters, more than {MAX_CHARS:,}"
    if (depth := _nesting(answer)) > MAX_NESTING:
        return f"the answer nests {depth} brackets, more than {MAX_NESTING}"
    if _LONG_NUMBER.search(answer):
        return f"the answer has a number of more than {MAX_DIGITS} digits"
    try:
        _Sizes(_CHOOSE.sub(r"\\binom{\1}{\2}", _SIZES.sub("", answer))).read_all()
    except _TooLargeError as error:
        return f"the answer has {error}"
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


class _TooLargeError(Exception):
    """Its text names what is too large."""


@dataclass(frozen=True, slots=True)
class _Size:
    """An upper bound of a constant expression; `bits` is its base-2 logarithm."""

    bits: float = 0.0
    has_names: bool = False
    tower: int = 0
    roots: int = 0

    @property
    def value(self) -> float:
        return 2.0**self.bits if self.bits < 1_000 else math.inf


class _Sizes:
    """Reads any text once from left to right; raises _TooLargeError."""

    def __init__(self, text: str) -> None:
        self._tokens = [(found.group(), found.end()) for found in _TOKEN.finditer(text)]
        self._text = text
        self._at = 0

    def read_all(self) -> None:
        while self._at < len(self._tokens):
            self._sum()
            self._at += 1  # a closing bracket without an opening one

    def _next(self) -> str:
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def _take(self, *wanted: str) -> bool:
        is_next = self._next() in wanted
        self._at += is_next
        return is_next

    def _sum(self) -> _Size:
        """Read up to a closing bracket, or the end."""
        largest, bits, num_terms, inner = 0.0, 0.0, 1, _Size()
        first = self._at
        while (token := self._next()) and token not in _CLOSING and token != r"\}":
            if self._take(*_BETWEEN_TERMS):
                largest, bits, num_terms = max(largest, bits), 0.0, num_terms + (self._at > first + 1)
                continue
            divides = self._take("/", r"\div")
            size = self._power()
            bits += 0 if divides else size.bits
            inner = _joined(inner, size)
        return replace(inner, bits=max(largest, bits) + math.log2(num_terms))

    def _power(self) -> _Size:
        chain = [self._factor()]
        while self._take("^", "**"):
            self._take("-", "+")
            chain.append(self._factor())
        size = chain.pop()
        while chain:
            size = _raised(chain.pop(), size)
        return self._factorials(size)

    def _factor(self) -> _Size:
        size = self._factorials(self._atom())
        if self._take("_"):
            self._atom()
        return size

    def _factorials(self, size: _Size) -> _Size:
        while self._take("!"):
            if size.value > MAX_FACTORIAL and not size.has_names:
                raise _TooLargeError(f"a factorial beyond {MAX_FACTORIAL:,}!")
            size = replace(size, bits=size.value * max(size.bits, 1.0) if not size.has_names else 0.0)
        return size

    def _atom(self) -> _Size:
        token = self._next()
        self._at += 1
        if token[:1].isascii() and token[:1].isdigit():
            return _Size(math.log2(max(float(token), 1.0)))
        if token and (token in _OPENING or token == r"\{"):
            size = self._sum()
            self._at += 1
            return size
        if token in _FRACTIONS:
            top, bottom = self._atom(), self._atom()
            return replace(_joined(top, bottom), bits=top.bits)
        if token in _BINOMIALS:
            return _binomial(self._atom(), self._atom())
        if token == r"\sqrt":
            return self._root()
        if token in (r"\sum", r"\prod"):
            return self._series(token)
        return _Size(has_names=len(token) == 1 and token.isalpha() and token not in _NAMED_CONSTANTS)

    def _root(self) -> _Size:
        if self._next() == "[":
            self._atom()
        inner = self._atom()
        if inner.roots >= MAX_ROOTS:
            raise _TooLargeError(f"more than {MAX_ROOTS} nested roots")
        return replace(inner, bits=inner.bits / 2, roots=inner.roots + 1)

    def _series(self, token: str) -> _Size:
        bounds = []
        while self._take("_", "^"):
            bounds.append(self._atom())
        largest = max((bound.value for bound in bounds), default=0.0)
        rest = self._text[self._tokens[self._at - 1][1] :] if self._at <= len(self._tokens) else ""
        is_long = largest > MAX_TERMS and _NO_POLYNOMIAL.search(rest)
        if is_long or (token == r"\prod" and largest > MAX_FACTORS):
            raise _TooLargeError("a sum or product with too many terms")
        return _Size()


def _joined(one: _Size, other: _Size) -> _Size:
    return _Size(
        has_names=one.has_names or other.has_names,
        tower=max(one.tower, other.tower),
        roots=max(one.roots, other.roots),
    )


def _raised(base: _Size, exponent: _Size) -> _Size:
    raised = _joined(base, exponent)
    if exponent.has_names:
        if exponent.tower >= MAX_TOWER - 1:
            raise _TooLargeError(f"a tower of more than {MAX_TOWER} powers")
        return replace(raised, tower=exponent.tower + 1)
    if base.has_names:
        if exponent.value > MAX_EXPONENT:
            raise _TooLargeError(f"an exponent beyond {MAX_EXPONENT:,}")
        return raised
    bits = base.bits * exponent.value if base.bits else 0.0
    if bits > MAX_POWER_BITS:
        raise _TooLargeError(f"a power of more than {MAX_POWER_BITS:,} bits")
    return replace(raised, bits=bits)


def _binomial(top: _Size, bottom: _Size) -> _Size:
    chosen = min(bottom.value, abs(top.value - bottom.value)) if top.value < math.inf else bottom.value
    if not top.has_names and not bottom.has_names and chosen > MAX_BINOMIAL:
        raise _TooLargeError(f"a binomial coefficient of more than {MAX_BINOMIAL:,} factors")
    return replace(_joined(top, bottom), bits=min(top.bits * chosen, 1e9))
