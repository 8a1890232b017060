"""A selection: the numbered list of rollouts that filters and an order mean, made once and kept while it is used.

It is a table (place, id) of the index, so paging, next and previous and "17 of 3,204" are look-ups, and no row leaves
the database before it is shown.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa

from app.queries.filters import Condition, Filters, conditions, order_sql, where
from app.queries.index import RunIndex
from app.queries.search import Pattern, bounded, hits_sql

_KEPT = 12
"""Selections and searches that are kept for the next rerun, the latest used."""
_FOLDER_FIELDS = ("kind", "bench", "step", "fingerprints")
"""Filters that leave whole parts out, so that a search need not read them."""
_numbers = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What people have noted about rollouts of a run: rows for the filters on tags, seen and overrides."""

    version: int = 0
    """Changes whenever a note does."""
    rows: tuple[MarkedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class MarkedRow:
    """The state of one annotated rollout."""

    benchmark: str
    step: int
    fingerprint: str
    problem_id: str
    sample_index: int
    text_hash: int | None
    """None where it was not kept: the row is meant whatever its text."""
    is_seen: bool
    is_overridden: bool
    tags: tuple[str, ...]


NO_MARKS = Marks()


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Table:
    """A table of the index that goes when nobody holds it any more."""

    name: str
    files: frozenset[str] = field(default_factory=frozenset)
    """Of a search: the parts that it looked into."""


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


def select(index: RunIndex, filters: Filters, *, marks: Marks = NO_MARKS) -> Selection:
    """The selection of these filters; kept, so that asking again costs nothing.

    Raises ConfigError for filters that mean nothing (an unknown order or reason, an expression RE2 rejects), DataError
    for a search that took too long.
    """
    pattern = Pattern.of(filters)
    found = conditions(filters)
    key = ("selection", index.generation, filters, marks.version)
    kept = _kept(index, key)
    if isinstance(kept, Selection):
        return kept
    hits = _search(index, pattern, found=found) if pattern else None
    selection = _selected(index, filters, found=found, marks=marks, searched=(pattern, hits))
    _keep(index, key, value=selection)
    return selection


def _selected(
    index: RunIndex,
    filters: Filters,
    *,
    found: dict[str, Condition],
    marks: Marks,
    searched: tuple[Pattern | None, Table | None],
) -> Selection:
    pattern, hits = searched
    condition = where(found | marked(filters))
    source = f"rollouts JOIN {hits.name} USING (id)" if hits else "(SELECT *, NULL::INTEGER AS num_hits FROM rollouts)"
    cursor = index.cursor()
    _register(cursor, marks)
    table = _new_table(index)
    cursor.execute(
        f"CREATE TABLE {table.name} AS SELECT (row_number() OVER () - 1)::INTEGER AS place, id, num_hits FROM "
        f"(SELECT id, num_hits FROM {source} WHERE {condition.sql} ORDER BY {order_sql(filters)})",
        list(condition.parameters),
    )
    counted = cursor.execute(f"SELECT count(*), sum(num_hits)::BIGINT FROM {table.name}").fetchone()
    assert counted is not None
    return Selection(
        table=table, hits=hits, total=counted[0], num_hits=(counted[1] or 0) if hits else None, pattern=pattern
    )


def _search(index: RunIndex, pattern: Pattern, *, found: dict[str, Condition]) -> Table:
    """The hits of a pattern in the parts that the other filters leave; an earlier search of more parts serves."""
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


def marked(filters: Filters) -> dict[str, Condition]:
    """The conditions on annotations, over the registered rows `marks`."""
    among = (
        "id IN (SELECT r.id FROM rollouts r "
        "JOIN marks m USING (benchmark, step, fingerprint, problem_id, sample_index) "
        "WHERE (m.text_hash IS NULL OR m.text_hash = r.text_hash) AND %s)"
    )
    found = {
        "": None,
        "seen": Condition(among % "is_seen"),
        "unseen": Condition("NOT " + among % "is_seen"),
        "overridden": Condition(among % "is_overridden"),
    }
    conditions_ = {"seen": found.get(filters.seen)}
    if filters.tags:
        holes = ", ".join("?" * len(filters.tags))
        conditions_["tags"] = Condition(among % f"list_has_any(tags, [{holes}])", filters.tags)
    return {name: condition for name, condition in conditions_.items() if condition is not None}


def _register(cursor: duckdb.DuckDBPyConnection, marks: Marks) -> None:
    names = list(MarkedRow.__dataclass_fields__)
    types = dict(
        zip(
            names,
            (pa.string(), pa.int64(), pa.string(), pa.string(), pa.int32(), pa.uint64(), pa.bool_(), pa.bool_()),
            strict=False,
        )
    )
    types["tags"] = pa.list_(pa.string())
    table = pa.table({name: pa.array([getattr(row, name) for row in marks.rows], types[name]) for name in names})
    cursor.register("marks", table)


def facets(index: RunIndex, filters: Filters, *, marks: Marks = NO_MARKS) -> dict[str, dict[str, int]]:
    """For benchmark, step, verdict, stop_reason and reasons: rollouts by value, under all filters but its own.

    Reasons overlap, so their counts add up to more than the rows. The search counts as a filter; while there is one,
    benchmarks and steps are counted under their own filters too, for it looks into no other parts.
    """
    fields = {"benchmark": "bench", "step": "step", "verdict": "verdicts", "stop_reason": "stop_reasons"}
    found = conditions(filters) | marked(filters)
    pattern = Pattern.of(filters)
    hits = _search(index, pattern, found=conditions(filters)) if pattern else None
    source = f"rollouts JOIN {hits.name} USING (id)" if hits else "rollouts"
    cursor = index.cursor()
    _register(cursor, marks)
    counted: dict[str, dict[str, int]] = {}
    for column, field_name in fields.items():
        is_searched_apart = hits is not None and field_name in _FOLDER_FIELDS
        condition = where({name: c for name, c in found.items() if name != field_name or is_searched_apart})
        rows = cursor.execute(
            f"SELECT {column}, count(*) FROM {source} WHERE {condition.sql} GROUP BY 1 ORDER BY 1",
            list(condition.parameters),
        ).fetchall()
        counted[column] = {str(value): count for value, count in rows if value is not None}
    condition = where({name: c for name, c in found.items() if name != "reasons"})
    return counted | {"reasons": _count_reasons(cursor, source, condition=condition)}


def _count_reasons(cursor: duckdb.DuckDBPyConnection, source: str, *, condition: Condition) -> dict[str, int]:
    from app.queries.reasons import REASONS, bit

    sums = ", ".join(f"count(*) FILTER (reasons & {bit(reason.name)} <> 0)" for reason in REASONS)
    row = cursor.execute(f"SELECT {sums} FROM {source} WHERE {condition.sql}", list(condition.parameters)).fetchone()
    assert row is not None
    return dict(zip((reason.name for reason in REASONS), row, strict=True))


def _new_table(index: RunIndex, files: Sequence[str] | frozenset[str] = ()) -> Table:
    table = Table(f"kept_{next(_numbers)}", frozenset(files))
    # `cursor()` at that time, not now: the table may go while another query runs on this connection.
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
