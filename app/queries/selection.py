"""A selection: the numbered list of rollouts for given filters and order, computed once and cached.

It is a table (place, id) of the index, so that paging, next, previous and "17 of 3,204" are look-ups, and no row leaves
the database before it is shown.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from app.queries.facts import question_facts
from app.queries.filters import Condition, Filters, conditions, order_sql, where
from app.queries.index import RunIndex
from app.queries.reasons import REASONS, bit
from app.queries.search import Pattern, bounded, hits_sql

_KEPT = 12
"""Number of cached selections and searches (the most recently used)."""
_FOLDER_FIELDS = ("kind", "bench", "step", "fingerprints")
"""Filters that exclude whole parts, so that a search need not read them."""
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The annotations of a run as rows for the filters on tags, seen and overrides."""

    version: int = 0
    """Changes with every annotation."""
    rows: tuple[MarkedRow, ...] = ()

    @property
    def tags(self) -> list[str]:
        """The tags in use, by name."""
        return sorted({tag for row in self.rows for tag in row.tags})


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """One annotated rollout."""

    benchmark: str
    step: int
    fingerprint: str
    problem_id: str
    sample_index: int
    text_hash: int | None
    """None if it was not stored: the row applies to any text."""
    is_seen: bool
    is_overridden: bool
    tags: tuple[str, ...]
    is_judged: bool = False
    """Whether it has a tag, a note or an override."""


NO_MARKS = Marks()


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Table:
    """A table of the index that is dropped when it is no longer referenced."""

    name: str
    files: frozenset[str] = field(default_factory=frozenset)
    """For a search: the parts that it read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Rollouts in their order, as a table (place, id), place from 0."""

    table: Table
    hits: Table | None
    """(id, num_hits) of the search, if there is one."""
    total: int
    num_hits: int | None
    """Hits of the search in the selected rollouts."""
    pattern: Pattern | None
    conditions: Mapping[str, Condition]
    """The filters' conditions, by field."""
    marks: Marks


def select(index: RunIndex, filters: Filters, *, marks: Marks = NO_MARKS) -> Selection:
    """The selection for these filters; cached, so that a repeated call is free.

    Raises ConfigError for invalid filters (an unknown order or reason, an expression that RE2 rejects), DataError for a
    search that takes too long.
    """
    pattern = Pattern.of(filters)
    found, order = conditions(filters), order_sql(filters)
    key = ("selection", index.generation, filters, marks.version)
    kept = _kept(index, key)
    if isinstance(kept, Selection):
        return kept
    if filters.about:
        question_facts(index)
    hits = _search(index, pattern, found=found) if pattern else None
    condition, table, cursor = where(found), _new_table(index), marked_cursor(index, marks)
    cursor.execute(
        f"CREATE TABLE {table.name} AS SELECT (row_number() OVER () - 1)::INTEGER AS place, id, num_hits FROM "
        f"(SELECT id, num_hits FROM {_source(hits)} WHERE {condition.sql} ORDER BY {order})",
        list(condition.parameters),
    )
    counted = cursor.execute(f"SELECT count(*), sum(num_hits)::BIGINT FROM {table.name}").fetchone()
    assert counted is not None
    selection = Selection(
        table=table, hits=hits, total=counted[0], num_hits=(counted[1] or 0) if hits else None, pattern=pattern,
        conditions=found, marks=marks,
    )  # fmt: skip
    _keep(index, key, value=selection)
    return selection


def _source(hits: Table | None) -> str:
    return f"rollouts JOIN {hits.name} USING (id)" if hits else "(SELECT *, NULL::INTEGER AS num_hits FROM rollouts)"


def _search(index: RunIndex, pattern: Pattern, *, found: dict[str, Condition]) -> Table:
    """The hits of a pattern in the parts that the other filters allow; a cached search of more parts is reused."""
    narrowed = where({name: c for name, c in found.items() if name in _FOLDER_FIELDS})
    cursor = index.cursor()
    rows = cursor.execute(
        f"SELECT path FROM parts WHERE part IN (SELECT part FROM rollouts WHERE {narrowed.sql})",
        list(narrowed.parameters),
    ).fetchall()
    files = frozenset(path for (path,) in rows)
    key = ("search", index.generation, pattern)
    kept = _kept(index, key)
    if isinstance(kept, Table) and files <= kept.files:
        return kept
    table = _new_table(index, files)
    if files:
        sql, parameters = hits_sql(pattern, sorted(files))
        with bounded(cursor):
            cursor.execute(
                f"CREATE TABLE {table.name} AS SELECT part * 4294967296 + file_row_number AS id, num_hits::INTEGER AS "
                f"num_hits FROM ({sql}) h JOIN parts p ON p.path = h.filename WHERE num_hits > 0",
                parameters,
            )
    else:
        cursor.execute(f"CREATE TABLE {table.name} (id BIGINT, num_hits INTEGER)")
    _keep(index, key, value=table)
    return table


_MARK_TYPES = {
    "benchmark": pa.string(), "step": pa.int64(), "fingerprint": pa.string(), "problem_id": pa.string(),
    "sample_index": pa.int32(), "text_hash": pa.uint64(), "is_seen": pa.bool_(), "is_overridden": pa.bool_(),
    "tags": pa.list_(pa.string()), "is_judged": pa.bool_(),
}  # fmt: skip
"""The fields of MarkedRow as columns of the table `marks`."""


def marked_cursor(index: RunIndex, marks: Marks) -> duckdb.DuckDBPyConnection:
    """A cursor on the index that has the table `marks`."""
    cursor = index.cursor()
    columns = {name: pa.array([getattr(row, name) for row in marks.rows], kind) for name, kind in _MARK_TYPES.items()}
    cursor.register("marks", pa.table(columns))
    return cursor


_FACETS = {"benchmark": "bench", "step": "step", "verdict": "verdicts", "stop_reason": "stop_reasons"}
"""Columns whose values are counted, with the filter on each."""


def facets(index: RunIndex, selection: Selection) -> dict[str, dict[str, int]]:
    """For benchmark, step, verdict, stop_reason and reasons: rollouts by value, under all filters except its own.

    Reasons overlap, so their counts add up to more than the rows. A search counts as a filter; with one, benchmarks and
    steps are counted under their own filters too, because the search reads no other parts.
    """
    found, source = selection.conditions, _source(selection.hits)
    cursor = marked_cursor(index, selection.marks)
    counted: dict[str, dict[str, int]] = {}
    for column, own in _FACETS.items():
        keeps_own = selection.hits is not None and own in _FOLDER_FIELDS
        condition = where({name: one for name, one in found.items() if name != own or keeps_own})
        rows = cursor.execute(
            f"SELECT {column}, count(*) FROM {source} WHERE {condition.sql} GROUP BY 1 ORDER BY 1",
            list(condition.parameters),
        ).fetchall()
        counted[column] = {str(value): count for value, count in rows if value is not None}
    condition = where({name: one for name, one in found.items() if name != "reasons"})
    return counted | {"reasons": _count_reasons(cursor, source, condition=condition)}


def _count_reasons(cursor: duckdb.DuckDBPyConnection, source: str, *, condition: Condition) -> dict[str, int]:
    sums = ", ".join(f"count(*) FILTER (reasons & {bit(reason.name)} <> 0)" for reason in REASONS)
    row = cursor.execute(f"SELECT {sums} FROM {source} WHERE {condition.sql}", list(condition.parameters)).fetchone()
    assert row is not None
    return dict(zip((reason.name for reason in REASONS), row, strict=True))


def told_reasons(index: RunIndex) -> frozenset[str]:
    """The reasons that can be told of at least one rollout of the run: of another "0" would say that none has it."""
    known = (" AND ".join(f"{column} IS NOT NULL" for column in reason.columns) for reason in REASONS)
    row = index.cursor().execute(f"SELECT {', '.join(f'bool_or({one})' for one in known)} FROM rollouts").fetchone()
    assert row is not None
    return frozenset(reason.name for reason, is_told in zip(REASONS, row, strict=True) if is_told)


_COMPARED = (
    "verdict", "step", "sample_index", "num_tokens", "reflections", "group_correct", "group_graded", "reward",
    "reasons",
)  # fmt: skip
"""Columns of a list that say nothing where they are the same in all rows."""


def constants(index: RunIndex, selection: Selection) -> dict[str, object]:
    """The columns that have one value in all of the selected rollouts, None included, and that value."""
    key = ("constants", selection.table.name)
    kept = _kept(index, key)
    if isinstance(kept, dict):
        return kept
    compared = [*_COMPARED, *(["num_hits"] if selection.pattern is not None else [])]
    sums = ", ".join(f"min({name}), max({name}), count({name})" for name in compared)
    row = index.cursor().execute(
        f"SELECT count(*), {sums} FROM rollouts JOIN {selection.table.name} USING (id)"
    ).fetchone()  # fmt: skip
    assert row is not None
    total, *rest = row
    found = {
        name: low
        for name, low, high, known in zip(compared, rest[::3], rest[1::3], rest[2::3], strict=True)
        if low == high and known in (0, total)
    }
    _keep(index, key, value=found)
    return found


def _new_table(index: RunIndex, files: Sequence[str] | frozenset[str] = ()) -> Table:
    table = Table(f"kept_{next(_numbers)}", frozenset(files))
    # A cursor of its own: the table may be dropped while another query runs on this connection.
    weakref.finalize(table, _drop, index.cursor(), table.name)
    return table


def _drop(cursor: duckdb.DuckDBPyConnection, name: str) -> None:
    cursor.execute(f"DROP TABLE IF EXISTS {name}")


def _kept(index: RunIndex, key: object) -> object:
    with index.lock:
        if key in index.selections:
            index.selections.move_to_end(key)
        return index.selections.get(key)


def _keep(index: RunIndex, key: object, *, value: object) -> None:
    with index.lock:
        index.selections[key] = value
        while len(index.selections) > _KEPT:
            index.selections.popitem(last=False)
