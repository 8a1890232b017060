"""Rows by the values of their columns: difficulty, subject, year, and by length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, nearest
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import Condition, SelectSettings
from orz_rl.curation.stages.stage import Decide, Parts


@dataclass(frozen=True, slots=True)
class Select:
    """The stage."""

    settings: SelectSettings
    sources: tuple[str, ...]
    """Names of all sources."""
    name: str = "select"
    is_local: bool = True

    def __post_init__(self) -> None:
        """ConfigError for a condition on a source that there is not."""
        named = [condition.source for condition in self.settings.conditions if condition.source is not None]
        unknown = next((name for name in named if name not in self.sources), None)
        if unknown is not None:
            raise ConfigError(
                f"select.conditions names {unknown!r}{nearest(unknown, self.sources)}; the sources are "
                f"{', '.join(self.sources)}."
            )

    @contextmanager
    def open(self, incoming: Parts, *, scratch: Path) -> Iterator[Decide]:
        """See Stage; looks for the columns of all conditions. ConfigError for one that no row has."""
        del scratch
        self._refuse_unknown(incoming)
        yield self._decide

    def _refuse_unknown(self, incoming: Parts) -> None:
        wanted = {condition.column for condition in self.settings.conditions}
        known: set[str] = set()
        for rows in incoming if wanted else ():
            known.update(name for row in rows for name in row.extra)
            if wanted <= known:
                return
        for column in sorted(wanted - known):
            raise ConfigError(
                f"select.conditions: no row has a column {column!r}{nearest(column, known)}; columns of short values "
                f"are {', '.join(sorted(known)) or 'none'}."
            )

    def _decide(self, rows: Sequence[Row]) -> Outcome:
        return Outcome([self._fate(row) for row in rows])

    def _fate(self, row: Row) -> Fate:
        if len(row.question) > self.settings.max_question_chars:
            return Fate(row=row, reason="too_long", evidence={"chars": len(row.question)})
        for condition in self.settings.conditions:
            if condition.source not in (None, row.source) or is_met(condition, row.extra.get(condition.column)):
                continue
            return Fate(
                row=row,
                reason="not_selected",
                evidence={"column": condition.column, "value": row.extra.get(condition.column)},
            )
        return Fate(row=row)


def is_met(condition: Condition, value: Any) -> bool:
    """Whether a value meets a condition; a number may be written as text."""
    if value is None:
        return not condition.needs_column
    if condition.values is not None and str(value) not in {str(each) for each in condition.values}:
        return False
    if condition.min is None and condition.max is None:
        return True
    try:
        number = float(value)
    except (TypeError, ValueError):
        return False
    return (condition.min is None or number >= condition.min) and (condition.max is None or number <= condition.max)
