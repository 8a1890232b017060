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
    return _whole(*rows[0], text=text)


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


def _whole(
    values: Sequence[float | None] | None, ends: Sequence[int | None] | None, *, text: str
) -> StoredValues | None:
    """The values, if there is one for every token of this text."""
    kept = tuple(value for value in values or () if value is not None)
    borders = tuple(end for end in ends or () if end is not None)
    num_tokens = len(values or ())
    is_whole = num_tokens == len(ends or ()) == len(kept) == len(borders) > 0
    is_whole = is_whole and all(a <= b for a, b in pairwise((0, *borders))) and borders[-1] == len(text)
    return StoredValues(kept, borders) if is_whole else None


def _folder_of(index: RunIndex, row: Row) -> Path | None:
    found = index.cursor().execute("SELECT path FROM parts WHERE part = ?", [row.id >> 32]).fetchone()
    return None if found is None else Path(found[0]).parent


def _card(found: ValuesDir) -> CriticCard | None:
    try:
        card = found.card()
    except OrzError:
        return None
    return card if card.digest == found.path.name else None
