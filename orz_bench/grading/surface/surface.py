r"""What an answer says, before any mathematics: a value with its unit, words, a list, a named value, a relation.

Input is the text of an answer or of a gold; both are read by the same rules. Mathematics stays LaTeX in the leaves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from orz_bench.grading.surface.units import Unit

GroupKind = Literal["list", "set", "tuple", "column", "row", "matrix", "interval"]
"""interval: two ends of which at least one is in square brackets; a tuple may be an open interval as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Mathematics, and what is counted or measured by it."""

    text: str
    latex: str
    unit: Unit | None = None
    unit_text: str = ""
    nouns: tuple[str, ...] = ()
    """Words after the value that are in no table of units."""
    are_known: bool = True
    """Whether the nouns are known ones; what is unknown counts only where the gold has it too."""
    is_percent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """Words, with mathematics between them."""

    text: str
    words: tuple[str, ...]
    """In lower case, without articles; the place of a piece of mathematics is empty."""
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
    """A value that is given a name: x = 5, f(x) = x^2, m + n = 7."""

    text: str
    name: str
    value: Surface
    is_one_name: bool = True
    """x or f(x); false for what is put together of several names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Values with equals signs between them, and what the last one is about."""

    text: str
    exact: tuple[Surface, ...]
    approximate: tuple[Surface, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """An equation or an inequality that gives nothing a value, or a membership of a set."""

    text: str
    members: Surface | None = None
    """What stands behind the sign of membership."""
    names: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """a : b, or a time of the day that is written the same way."""

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
    """What can't be read: equal to the same text only."""

    text: str


Surface: TypeAlias = Value | Phrase | Group | Named | Chain | Relation | Ratio | Date | Opaque
