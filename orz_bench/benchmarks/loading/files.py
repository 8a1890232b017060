"""Rows of a benchmark's file: JSON lines, a JSON list (as in the published ORZ files), CSV or Parquet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from orz_bench.errors import DataError
from orz_bench.records.tables import Row, read_table


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """(where, row) for every row, `where` being "line 7" or "row 7". Raises DataError for what is broken, and where."""
    for where, row in read_table(path):
        if not isinstance(row, dict):
            raise DataError(f"{path}, {where}: a JSON list, wanted an object; restore the file.")
        yield where, row
