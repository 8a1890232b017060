"""Values of critics beside the rollouts of a folder (`orz-bench value`): which there are, and those of one response."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import duckdb

from app.queries.index import RunIndex
from app.queries.parts import values_folders, values_parts
from app.queries.rows import Row
from orz_bench.errors import OrzError
from orz_bench.records.values import CriticCard, ValuesDir


@dataclass(frozen=True, slots=True)
class StoredValues:
    """A critic's value before every token of one response of T tokens."""

    values: tuple[float, ...]
    """(T,)."""
    char_ends: tuple[int, ...]
    """(T,): characters of the text up to the end of each token."""


def critics_of(index: RunIndex, row: Row) -> list[CriticCard]:
    """The critics that have assessed rollouts of this row's folder, the last one first."""
    folder = _folder_of(index, row)
    return [] if folder is None else [card for found in values_folders(folder) if (card := _card(found)) is not None]


def stored_values(index: RunIndex, row: Row, *, critic: str, text: str) -> StoredValues | None:
    """The values of one response by the critic with this digest; None if it has none for this text."""
    folder = _folder_of(index, row)
    found = [one for one in values_folders(folder) if one.path.name == critic] if folder is not None else []
    rows = _read(index, [part.path for part in values_parts(found[0])], row=row) if found else []
    if len(rows) != 1:
        return None
    values, ends = rows[0]
    return StoredValues(tuple(values), tuple(ends)) if _fits(values, ends, text=text) else None


def _read(
    index: RunIndex, paths: Sequence[Path], *, row: Row
) -> list[tuple[list[float | None] | None, list[int | None] | None]]:
    if not paths:
        return []
    try:
        return (
            index.cursor()
            .execute(
                "SELECT values::DOUBLE[], char_ends::BIGINT[] FROM read_parquet(?, hive_partitioning = false) "
                "WHERE problem_id = ? AND sample_index = ?",
                [list(map(str, paths)), row.key.problem_id, row.key.sample_index],
            )
            .fetchall()
        )
    except duckdb.Error:  # a part was just replaced, or is damaged
        return []


def _fits(values: Sequence[float | None] | None, ends: Sequence[int | None] | None, *, text: str) -> bool:
    """Whether there is a value for every token of this text."""
    if not values or ends is None or len(values) != len(ends) or None in values or None in ends:
        return False
    borders = [0, *(end or 0 for end in ends)]
    return all(a <= b for a, b in pairwise(borders)) and borders[-1] == len(text)


def _folder_of(index: RunIndex, row: Row) -> Path | None:
    found = index.cursor().execute("SELECT path FROM parts WHERE part = ?", [row.id >> 32]).fetchone()
    return None if found is None else Path(found[0]).parent


def _card(found: ValuesDir) -> CriticCard | None:
    try:
        card = found.card()
    except OrzError:
        return None
    return card if card.digest == found.path.name else None
