"""The records of curation: a row, its fate in a stage, and a pair of similar texts; their columns in Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pyarrow as pa

from orz_bench.records.curated import PAIR_COLUMNS, Pair
from orz_bench.records.parquet import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A question with its answer, and where it comes from."""

    number: int
    """Position over all sources, from 0."""
    id: str
    """Unique over all sources."""
    source: str
    """Name of the source."""
    place: str
    """Where it is in the source, such as `line 7`."""
    question: str
    answer: str
    extra: Mapping[str, Any] = field(default_factory=dict)
    """The other short values of the row, such as its difficulty: JSON values only."""
    changes: tuple[str, ...] = ()
    """What stages changed in question and answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What a stage decides about a row."""

    row: Row
    """As the stage leaves it."""
    reason: str = ""
    """Why it is dropped, one word of the stage's; empty: it is kept."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """The facts behind the reason: JSON values only."""

    @property
    def is_kept(self) -> bool:
        """Whether the next stage gets the row."""
        return not self.reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage makes of some rows."""

    fates: list[Fate]
    """One for each row, in the order of the rows."""
    pairs: list[Pair] = field(default_factory=list)


FATE_SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("place", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("extra", pa.string()),
        ("changes", pa.string()),
        ("reason", pa.string()),
        ("evidence", pa.string()),
    ]
)
"""A part of a stage: rows with their fates."""


def fates_table(fates: Sequence[Fate]) -> pa.Table:
    """Fates in the columns of FATE_SCHEMA."""
    rows = [each.row for each in fates]
    columns: dict[str, list[Any]] = {
        name: [getattr(row, name) for row in rows] for name in ("number", "id", "source", "place")
    }
    columns |= {name: [storable(getattr(row, name)) for row in rows] for name in ("question", "answer")}
    columns["extra"] = [dumped(row.extra) for row in rows]
    columns["changes"] = [dumped(row.changes) for row in rows]
    columns["reason"] = [each.reason for each in fates]
    columns["evidence"] = [dumped(each.evidence) for each in fates]
    return pa.table({f.name: pa.array(columns[f.name], type=f.type) for f in FATE_SCHEMA}, schema=FATE_SCHEMA)


def rows_of(table: pa.Table) -> list[Row]:
    """The rows of a table of fates."""
    names = [each.name for each in fields(Row)]
    found = []
    for values in table.select(names).to_pylist():
        extra, changes = values["extra"], values["changes"]
        values["extra"] = {} if extra == "{}" else json.loads(extra)
        values["changes"] = () if changes == "[]" else tuple(json.loads(changes))
        found.append(Row(**values))
    return found


def pairs_table(pairs: Iterable[Pair]) -> pa.Table:
    """Pairs in the columns of PAIR_COLUMNS."""
    listed = list(pairs)
    columns = {
        f.name: pa.array(
            [value if isinstance(value := getattr(each, f.name), float) else storable(value) for each in listed],
            type=f.type,
        )
        for f in PAIR_COLUMNS
    }
    return pa.table(columns, schema=PAIR_COLUMNS)


def dumped(value: Any) -> str:
    """JSON in one form, so that equal values are equal bytes."""
    if not value:
        return "{}" if isinstance(value, Mapping) else "[]"
    return storable(json.dumps(value if not isinstance(value, Mapping) else dict(value), ensure_ascii=False)) or ""
