"""The fates of a set's rows: which meet the filters of the page, and one row with the texts that it is like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.curated.state import DataState
from app.curated.tables import Condition, Places, TableFile, among, containing
from orz_bench.records.curated import FATE_COLUMNS, FATES


@dataclass(frozen=True, slots=True, kw_only=True)
class FateRow:
    """A line of fates.parquet, as it is in the file."""

    place: int
    source: str
    row: str
    id: str
    question: str
    answer: str
    stage: str
    fate: str
    reason: str
    evidence: str
    changes: str
    extra: str
    number: int


@dataclass(frozen=True, slots=True)
class FateCount:
    """How many rows have these values."""

    stage: str
    reason: str
    fate: str
    source: str
    num_rows: int


def fates_of(folder: Path) -> TableFile:
    """The table of a set."""
    return TableFile(folder / FATES, FATE_COLUMNS)


def matching(table: TableFile, state: DataState) -> Places:
    """The places of the rows that the filters let through, in the order of the sources."""
    conditions = [*among("source", state.source), *among("stage", state.stage), *among("reason", state.reason)]
    conditions += among("fate", [state.fate] if state.fate else [])
    return table.places([*conditions, *containing(state.text, ("question", "answer", "id"))])


def rows_at(table: TableFile, places: Sequence[int]) -> list[FateRow]:
    """These rows."""
    return [FateRow(**values) for values in table.rows(places)]


def place_of(table: TableFile, wanted: str) -> int | None:
    """The place of a row by its id, by SOURCE:ROW, or by # and its place; None if there is none."""
    whole = wanted[1:] if wanted.startswith("#") else ""
    conditions = [
        Condition("id = ?", (wanted,)),
        Condition('ends_with(?, "row") AND source || \':\' || "row" = ?', (wanted, wanted)),
    ]
    if whole.isascii() and whole.isdecimal() and len(whole) < 16:
        conditions.append(Condition("file_row_number = ?", (int(whole),)))
    for condition in conditions:
        if len(found := table.places([condition])):
            return int(found[0])
    return None


def counts_of(table: TableFile) -> list[FateCount]:
    """The rows by stage, reason, fate and source."""
    return [FateCount(*values) for values in table.counts(("stage", "reason", "fate", "source"))]
