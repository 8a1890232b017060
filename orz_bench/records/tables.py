"""Rows of files from other tools: JSON lines, a JSON list, CSV, Parquet. The only reader of these formats.

Strict (data on which scores depend): anything broken or ambiguous is a DataError with its place. Lenient (files of
other tools): invalid UTF-8 is replaced, a torn last line is skipped, the last of duplicate keys is used.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from orz_bench.errors import DataError
from orz_bench.records.regular import require_regular

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
_FIELD_LIMIT = 1 << 30
"""Maximum characters of a CSV field; Python's own limit is 131,072."""
_BATCH_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 4000
"""Maximum digits of a number read as int; a longer one remains text."""
_LFS = b"version https://git-lfs"
_ENCODINGS = (
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)


def read_table(path: Path, *, strict: bool = True, suffix: str | None = None) -> Iterator[tuple[str, Any]]:
    """(where, row) for every row, `where` being "line 7" or "row 7"; only rows of a JSON list may be lists.

    DataError, with the place, for anything unreadable.
    """
    kind = suffix or path.suffix.lower()
    readers = {".json": _json_list, ".csv": _csv, ".parquet": _parquet}
    if kind not in SUFFIXES:
        raise DataError(f"{path}: cannot read {kind or 'files without a suffix'}, wanted {', '.join(SUFFIXES)}.")
    try:
        require_regular(path)
        _refuse_pointer(path)
        yield from readers.get(kind, _json_lines)(path, strict)
    except UnicodeError as error:
        raise DataError(f"{path}: not UTF-8 text ({error}); save it as UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); restore it, or name another.") from error


def parse_json(text: str, *, strict: bool) -> Any:
    """The value of a JSON text. ValueError, with a reason in one line, if it is not JSON.

    NaN and Infinity, which JSON does not have, are null if strict; numbers too long for Python remain text; half an
    emoji (a lone surrogate), which UTF-8 cannot encode, becomes a question mark.
    """
    hooks: dict[str, Any] = {"parse_int": _int}
    if strict:
        hooks |= {"parse_constant": lambda _: None, "object_pairs_hook": _object, "parse_float": _float}
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _storable(value) if "\\ud" in text or "\\uD" in text else value


def _refuse_pointer(path: Path) -> None:
    """Raise DataError for what Git LFS leaves in the place of a file that was not fetched."""
    with path.open("rb") as file:
        head = file.read(len(_LFS))
    if head == _LFS:
        raise DataError(
            f"{path}: is a pointer of Git LFS, not the data; run `git lfs pull` there, or download the file."
        )


def _open(path: Path, *, strict: bool, newline: str | None = None) -> TextIO:
    """The text of a file, with or without a byte order mark."""
    file = path.open("rb")
    head = file.read(4)
    encoding = next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8-sig")
    file.seek(0)
    return io.TextIOWrapper(file, encoding=encoding, errors="strict" if strict else "replace", newline=newline)


def _json_lines(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    with _open(path, strict=strict) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = parse_json(line, strict=strict)
                fault = None if isinstance(row, dict) else f"found a JSON {type(row).__name__}, wanted an object"
            except ValueError as error:
                row, fault = None, f"broken JSON ({error}){'; it contains NUL bytes' if chr(0) in line else ''}"
            if fault is None:
                yield f"line {number}", row
            elif strict or line.endswith("\n"):
                raise DataError(
                    f"{path}, line {number}: {fault}. Every line must be a JSON object; fix or restore this line."
                )


def _json_list(path: Path, strict: bool) -> Iterator[tuple[str, Any]]:  # noqa: FBT001
    with _open(path, strict=strict) as file:
        text = file.read()
    try:
        rows = parse_json(text, strict=strict)
    except ValueError as error:
        raise DataError(f"{path}: not readable as JSON ({error}); restore it. JSON lines end in .jsonl.") from error
    if isinstance(rows, dict) and not strict:
        rows = [rows]
    if not isinstance(rows, list) or not all(isinstance(row, dict | list) for row in rows):
        raise DataError(f"{path}: wanted a JSON list (array of objects); restore it. JSON lines end in .jsonl.")
    for number, row in enumerate(rows):
        yield f"row {number}", row


def _csv(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(path, strict=strict, newline="") as file:
        rows = csv.DictReader(file, strict=strict)
        names = rows.fieldnames or []
        repeated = [name for name in names if names.count(name) > 1]
        if strict and repeated:
            raise DataError(f"{path}: duplicate column {repeated[0]!r}; every column needs its own name.")
        for number, row in enumerate(rows):
            if strict and (None in row or None in row.values()):
                found = len(names) + len(row.get(None) or ()) - sum(value is None for value in row.values())
                raise DataError(f"{path}, row {number}: {found} fields, but the header has {len(names)}; fix this row.")
            yield f"row {number}", {name: value for name, value in row.items() if name is not None}


def _parquet(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if len(set(names)) < len(names):
                raise DataError(f"{path}: duplicate columns ({', '.join(names)}); every column needs its own name.")
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=_BATCH_ROWS))
            for number, row in enumerate(chain.from_iterable(batches)):
                yield f"row {number}", _without_nan(row) if strict else row
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}); restore it.") from error


def _object(pairs: list[tuple[str, Any]]) -> Row:
    row = dict(pairs)
    if len(row) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"duplicate key {next(name for name in names if names.count(name) > 1)!r}")
    return row


def _int(text: str) -> int | str:
    return int(text) if len(text) <= _MAX_DIGITS else text


def _float(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _without_nan(row: Row) -> Row:
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}


def _storable(value: Any) -> Any:
    """The value with a question mark for each lone surrogate."""
    if isinstance(value, str):
        return _SURROGATE.sub("?", value)
    change: Callable[[Any], Any] = _storable
    if isinstance(value, list):
        return list(map(change, value))
    if isinstance(value, dict):
        return {change(name): change(item) for name, item in value.items()}
    return value
