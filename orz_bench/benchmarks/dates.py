"""When the questions of a benchmark became public, and what that says about a model whose data end on a day."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Literal

from orz_bench.errors import ConfigError

Age = Literal["newer", "partly older", "older", "unknown"]
"""newer: no question was public before the data ended. older: all were. unknown: it cannot be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicDates:
    """The days on which the first and the last of its questions became public."""

    first: date
    last: date
    source: str
    """Who says so."""
    is_collected: bool = False
    """Whether it was collected from material that was public before `first`, as textbooks and exams are."""
    by_question: bool = False
    """Whether `Problem.extra["date"]` has the day of each question."""

    @property
    def shown(self) -> str:
        """`2025-02-06`, or `2025-02-06 to 2025-02-12`; `before` marks what was collected."""
        days = self.first.isoformat() if self.first == self.last else f"{self.first} to {self.last}"
        return f"before {days}" if self.is_collected else days

    def age(self, data_until: date) -> Age:
        """Against data that end on this day, which is included."""
        if data_until >= self.last:
            return "older"
        if data_until >= self.first:
            return "partly older"
        return "unknown" if self.is_collected else "newer"

    def too_old(self, since: date) -> str | None:
        """Why not all of its questions are of this day or later; None if they are."""
        if self.is_collected:
            return f"its questions were collected from older material (published {self.first})"
        return f"its questions are public since {self.first}" if self.first < since else None


def on(day: date, source: str, *, last: date | None = None) -> PublicDates:
    """Questions that became public on this day, or from it to `last`."""
    return PublicDates(first=day, last=last or day, source=source)


def collected(day: date, source: str) -> PublicDates:
    """Questions that were collected from older material, in a set published on this day."""
    return PublicDates(first=day, last=day, source=source, is_collected=True)


def parse_day(text: str | None, option: str, *, is_end: bool = False) -> date | None:
    """A day such as 2025-02-06; a month, 2025-02, is its first day or, with `is_end`, its last.

    ConfigError, with the option that it was given for, for anything else.
    """
    if text is None:
        return None
    try:
        if text.count("-") != 1:
            return date.fromisoformat(text)
        month = date.fromisoformat(f"{text}-01")
    except ValueError as error:
        raise ConfigError(f"{option} {text}: not a day; wanted one such as 2025-02-06, or a month: 2025-02.") from error
    return month.replace(day=monthrange(month.year, month.month)[1]) if is_end else month
