"""Rows of files from other tools: JSON lines, a JSON list, CSV, Parquet, Arrow. The only reader of these formats.

Strict (data on which scores depend): anything broken or ambiguous is a DataError with its place. Lenient (files of
other tools): invalid UTF-8 is replaced, a torn last line is skipped, the last of duplicate keys is used.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from orz_bench.errors import DataError
from orz_bench.records.regular import require_regular

Row = dict[str, Any]
SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".parquet", ".arrow")
_FIELD_LIMIT = 1 << 30
"""Maximum characters of a CSV field; Python's own limit is 131,072."""
_BATCH_ROWS = 4096
_SURROGATE = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 4000
"""Maximum digits of a number read as int; a longer one remains text."""
_LFS = b"version https://git-lfs"
_ARROW_FILE = b"ARROW1"
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
    readers = {".json": _json_list, ".csv": _csv, ".parquet": _parquet, ".arrow": _arrow}
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


def read_rows_or_faults(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, row) as read_table(strict=True), with a DataError in the place of each row that is broken.

    Rows of JSON lines and CSV are judged one by one: broken JSON, text that is not UTF-8, too few fields. DataError is
    raised for a file that is broken as a whole.
    """
    if path.suffix.lower() not in (".jsonl", ".ndjson", ".csv"):
        yield from read_table(path)
        return
    reader = _csv_or_faults if path.suffix.lower() == ".csv" else _lines_or_faults
    try:
        require_regular(path)
        _refuse_pointer(path)
        yield from reader(path)
    except (OSError, csv.Error, UnicodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); restore it, or name another.") from error


def _lines_or_faults(path: Path) -> Iterator[tuple[str, Any]]:
    with _open(path, errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row: Any = DataError(fault) if (fault := _encoding_fault(line)) else parse_json(line, strict=True)
            except ValueError as error:
                row = DataError(f"broken JSON ({error})")
            if not isinstance(row, dict | DataError):
                row = DataError(f"found a JSON {type(row).__name__}, wanted an object")
            yield f"line {number}", row


def _csv_or_faults(path: Path) -> Iterator[tuple[str, Any]]:
    csv.field_size_limit(_FIELD_LIMIT)
    with _open(path, errors="surrogateescape", newline="") as file:
        rows = csv.DictReader(file, strict=True)
        _refuse_repeated(path, rows.fieldnames or [])
        for number, row in enumerate(rows):
            fault = _fields_fault(row, rows.fieldnames or []) or _encoding_fault("".join(map(str, row.values())))
            yield f"row {number}", DataError(fault) if fault else row


def _encoding_fault(text: str) -> str | None:
    """What is wrong with a text that was decoded with surrogates for bytes that are not UTF-8."""
    match = _SURROGATE.search(text)
    if match is None:
        return None
    around = ascii(text[max(0, match.start() - 20) : match.end() + 10])
    return f"not UTF-8 text: byte 0x{ord(match[0]) & 0xFF:02x} in {around}"


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


def _open(path: Path, *, errors: str, newline: str | None = None) -> TextIO:
    """The text of a file, with or without a byte order mark."""
    file = path.open("rb")
    head = file.read(4)
    encoding = next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8-sig")
    file.seek(0)
    return io.TextIOWrapper(file, encoding=encoding, errors=errors, newline=newline)


def _errors(strict: bool) -> str:  # noqa: FBT001
    return "strict" if strict else "replace"


def _json_lines(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    with _open(path, errors=_errors(strict)) as file:
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
    with _open(path, errors=_errors(strict)) as file:
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
    with _open(path, errors=_errors(strict), newline="") as file:
        rows = csv.DictReader(file, strict=strict)
        names = rows.fieldnames or []
        if strict:
            _refuse_repeated(path, names)
        for number, row in enumerate(rows):
            if strict and (fault := _fields_fault(row, names)):
                raise DataError(f"{path}, row {number}: {fault}; fix this row.")
            yield f"row {number}", {name: value for name, value in row.items() if name is not None}


def _refuse_repeated(path: Path, names: Sequence[str]) -> None:
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise DataError(f"{path}: duplicate column {repeated[0]!r}; every column needs its own name.")


def _fields_fault(row: Mapping[Any, Any], names: Sequence[str]) -> str | None:
    if None not in row and None not in row.values():
        return None
    found = len(names) + len(row.get(None) or ()) - sum(value is None for value in row.values())
    return f"{found} fields, but the header has {len(names)}"


def _parquet(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _refuse_same_columns(path, file.schema_arrow.names)
            yield from _rows_of_batches(file.iter_batches(batch_size=_BATCH_ROWS), strict)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error}); restore it.") from error


def _arrow(path: Path, strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    """A stream of record batches, as `datasets` saves them, or a file of them."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as source:
            is_file = source.read(len(_ARROW_FILE)) == _ARROW_FILE
            source.seek(0)
            if is_file:
                file = pa.ipc.open_file(source)
                schema, batches = file.schema, map(file.get_batch, range(file.num_record_batches))
            else:
                stream = pa.ipc.open_stream(source)
                schema, batches = stream.schema, iter(stream)
            _refuse_same_columns(path, schema.names)
            yield from _rows_of_batches(batches, strict)
    except (pa.ArrowException, ValueError, OverflowError) as error:
        raise DataError(f"{path}: cannot be read as Arrow ({error}); restore it.") from error


def _refuse_same_columns(path: Path, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise DataError(f"{path}: duplicate columns ({', '.join(names)}); every column needs its own name.")


def _rows_of_batches(batches: Iterable[Any], strict: bool) -> Iterator[tuple[str, Row]]:  # noqa: FBT001
    for number, row in enumerate(chain.from_iterable(batch.to_pylist() for batch in batches)):
        yield f"row {number}", _without_nan(row) if strict else row


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
