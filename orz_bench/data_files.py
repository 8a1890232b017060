"""Rows of a data file: JSON lines, a JSON list (as in the published ORZ files), CSV or Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orz_bench.errors import DataError

Row = dict[str, Any]


def read_rows(path: Path) -> Iterator[tuple[str, Row]]:
    """(where, row) for every row, `where` being "line 7" or "row 7". Raises DataError for what is broken, and where."""
    readers = {".jsonl": _json_lines, ".json": _json_list, ".csv": _csv, ".parquet": _parquet}
    reader = readers.get(path.suffix)
    if reader is None:
        raise DataError(f"{path}: cannot read {path.suffix} files, wanted one of {', '.join(readers)}.")
    try:
        yield from reader(path)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot read it ({error}); restore it, or name another --data-dir.") from error


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield f"line {number}", _object(line, path=path, where=f"line {number}")


def _json_list(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: broken JSON ({error}); restore the file.") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path}: wanted a JSON list of objects; restore the file.")
    for number, row in enumerate(rows):
        yield f"row {number}", row


def _csv(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            yield f"row {number}", row


def _parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_table(path).to_pylist()
    except pa.ArrowException as error:
        raise DataError(f"{path}: not a readable Parquet file ({error}); fetch it again.") from error
    for number, row in enumerate(rows):
        yield f"row {number}", row


def _object(line: str, *, path: Path, where: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}, {where}: broken JSON ({error}); mend or restore that line.") from error
    if not isinstance(row, dict):
        raise DataError(f"{path}, {where}: a JSON {type(row).__name__}, wanted an object; mend or restore that line.")
    return row
