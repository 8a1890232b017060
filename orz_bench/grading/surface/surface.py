r"""The content of an answer before any mathematics: a value with its unit, words, a list, a named value, a relation.

Answers and golds are read by the same rules. Mathematics remains LaTeX in the leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from orz_bench.grading.surface.units import Unit

GroupKind = Literal["list", "set", "tuple", "column", "row", "matrix", "interval"]
"""interval: two ends with at least one square bracket; a tuple may also be an open interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Mathematics, and the unit or noun it counts."""

    text: str
    latex: str
    unit: Unit | None = None
    unit_text: str = ""
    nouns: tuple[str, ...] = ()
    """Words after the value that are in no table of units."""
    are_known: bool = True
    """Whether the nouns are known; unknown ones are accepted only if the gold has them too."""
    is_percent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words, with mathematics between them."""

    text: str
    words: tuple[str, ...]
    """In lower case, without articles; an empty word marks the place of mathematics."""
    pieces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Several elements, in brackets or bare."""

    text: str
    kind: GroupKind
    items: tuple[Surface, ...]
    brackets: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A named value: x = 5, f(x) = x^2, m + n = 7."""

    text: str
    name: str
    value: Surface
    is_one_name: bool = True
    """Whether it is x or f(x) and not composed of several names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Values joined by equals signs, and approximate ones after them."""

    text: str
    exact: tuple[Surface, ...]
    approximate: tuple[Surface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """An equation or inequality that does not assign a value, or membership in a set."""

    text: str
    members: Surface | None = None
    """The set after the membership sign."""
    names: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """a : b, or a time of day written the same way."""

    text: str
    terms: tuple[str, ...]
    half: str = ""
    """am, pm, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Date:
    """A day of a month."""

    text: str
    month: int
    numbers: tuple[int, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Opaque:
    """Unreadable text: equal only to the same text."""

    text: str


Surface: TypeAlias = Value | Phrase | Group | Named | Chain | Relation | Ratio | Date | Opaque
