"""The share of rollouts with a hit of a search at each step, under all filters but that on the step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.queries.filters import Filters, where
from app.queries.index import RunIndex
from app.queries.selection import NO_MARKS, Marks, marked_cursor, select


@dataclass(frozen=True, slots=True)
class HitShare:
    """One step of training or of evaluations."""

    kind: str
    step: int
    num_hit: int
    """Rollouts with one hit or more."""
    total: int

    @property
    def share(self) -> float:
        """Rollouts with a hit / all of them."""
        return self.num_hit / self.total


def hit_shares(index: RunIndex, filters: Filters, *, marks: Marks = NO_MARKS) -> list[HitShare]:
    """By kind and step; empty without a search. Raises what `select` does."""
    if not filters.text:
        return []
    wide = replace(filters, step=())
    selection = select(index, wide, marks=marks)
    condition = where(selection.conditions)
    rows = (
        marked_cursor(index, marks)
        .execute(
            "SELECT kind, step, count(h.id), count(*) FROM "
            f"(SELECT id, kind, step FROM rollouts WHERE {condition.sql}) "
            f"LEFT JOIN {selection.table.name} h USING (id) GROUP BY kind, step ORDER BY kind, step",
            list(condition.parameters),
        )
        .fetchall()
    )
    return [HitShare(*row) for row in rows]
