"""Parquet files of a curated set as tables of DuckDB: checked first, because anybody may have made them.

A row's place is its position in the file. Queries bring places, which are numbers, and then the texts of one page.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from app.queries.search import MAX_PATTERN_CHARS, bounded, escaped
from app.queries.spill import in_memory
from orz_bench.errors import ConfigError, DataError
from orz_bench.records.regular import require_regular

Places = npt.NDArray[np.int64]
_TYPES = {pa.string(): {"VARCHAR"}, pa.int64(): {"BIGINT", "INTEGER"}, pa.float64(): {"DOUBLE", "FLOAT"}}
_NOTHING = {pa.string(): "''", pa.int64(): "-1", pa.float64(): "0.0"}


@dataclass(frozen=True, slots=True)
class Condition:
    """Part of a WHERE clause with its parameters."""

    sql: str
    parameters: tuple[Any, ...] = ()


def among(column: str, values: Sequence[str]) -> list[Condition]:
    """The condition that a column has one of these values; none for no value."""
    return [Condition(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))] if values else []


def containing(text: str, columns: Sequence[str]) -> list[Condition]:
    """The condition that one of these columns contains the text, in any case of letters; none for no text."""
    if not text:
        return []
    if len(text) > MAX_PATTERN_CHARS:
        raise ConfigError(f"the search text has {len(text)} characters; the limit is {MAX_PATTERN_CHARS}; shorten it.")
    pattern = f"(?i){escaped(text)}"
    sql = " OR ".join(f"regexp_matches({column}, ?)" for column in columns)
    return [Condition(sql, (pattern,) * len(columns))]


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file with the columns that we write, and perhaps others."""

    path: Path
    columns: pa.Schema

    def places(self, conditions: Sequence[Condition], *, order: str = "") -> Places:
        """The places of the rows that meet all conditions, in the order of the file or another one."""
        where = " AND ".join(f"({each.sql})" for each in conditions) or "true"
        parameters = [value for each in conditions for value in each.parameters]
        sql = f"SELECT file_row_number FROM t WHERE {where} ORDER BY {order + ', ' if order else ''}file_row_number"
        with self._opened() as cursor:
            return np.asarray(cursor.execute(sql, parameters).fetchnumpy()["file_row_number"], dtype=np.int64)

    def rows(self, places: Sequence[int]) -> list[dict[str, Any]]:
        """The rows at these places, in their order, with their `place`; unknown texts are empty."""
        if not len(places):
            return []
        known = [
            f"coalesce({quoted(field.name)}, {_NOTHING[field.type]}) AS {quoted(field.name)}" for field in self.columns
        ]
        among_them = f"file_row_number IN ({', '.join('?' * len(places))})"
        sql = f"SELECT file_row_number AS place, {', '.join(known)} FROM t WHERE {among_them}"
        with self._opened() as cursor:
            answer = cursor.execute(sql, [int(place) for place in places])
            names = [name for name, *_ in answer.description or ()]
            found = {values[0]: dict(zip(names, values, strict=True)) for values in answer.fetchall()}
        return [found[int(place)] for place in places if int(place) in found]

    def counts(self, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """(value of each column, ..., number of rows) for all combinations that occur."""
        names = ", ".join(f"coalesce({quoted(name)}, '')" for name in columns)
        with self._opened() as cursor:
            return cursor.execute(f"SELECT {names}, count(*) FROM t GROUP BY ALL ORDER BY ALL").fetchall()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection with the file as `t`. DataError for a file that is missing, damaged, or not one of ours."""
        cursor = _engine().cursor()
        try:
            require_regular(self.path)
            literal = str(self.path).replace("'", "''")
            with bounded(cursor):
                cursor.execute(
                    f"CREATE OR REPLACE TEMP VIEW t AS SELECT * FROM "
                    f"read_parquet('{literal}', file_row_number = true, hive_partitioning = false)"
                )
                self._check({name: kind for name, kind, *_ in cursor.execute("DESCRIBE t").fetchall()})
                yield cursor
        except (OSError, UnicodeError, duckdb.Error) as error:
            reason = " ".join(str(error).partition("\nLINE ")[0].split())[:200]  # what follows is our query
            raise DataError(f"{self.path}: cannot be read ({reason}); restore it, or curate the set again.") from error
        finally:
            cursor.close()

    def _check(self, found: dict[str, str]) -> None:
        for field in self.columns:
            kind = found.get(field.name)
            if kind not in _TYPES[field.type]:
                what = "has no column" if kind is None else f"has {kind} in the column"
                raise DataError(
                    f"{self.path}: {what} {field.name!r}, so `orz-rl curate` did not write it; wanted the columns "
                    f"{', '.join(self.columns.names)}."
                )


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    return in_memory()
