"""Exported files back as rows: CSV, JSON lines and Markdown, as app.queries.exports writes them.

Values of CSV and Markdown are texts. DataError for a file that is none of these.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from orz_bench.errors import DataError

_OPENS = re.compile(r"(`{3,})text")
_SECTION = re.compile(r"## \d+")
_NAME = re.compile(r"\*\*(.*)\*\*")
_VALUE = re.compile(r"- ((?:\\.|[^\\:])*): (.*)")
_ESCAPE = re.compile(r"\\(.)")


def rows_in(data: bytes, *, name: str) -> Iterator[Mapping[str, Any]]:
    """The rows of a file of that name, whose ending says which format it has. DataError where it cannot be read."""
    suffix = name.rpartition(".")[2].lower()
    readers = {"csv": _csv_rows, "jsonl": _json_rows, "md": _markdown_rows}
    if suffix not in readers:
        raise DataError(f"{name}: wanted a file that ends in .csv, .jsonl or .md, as the app exports them.")
    try:
        yield from readers[suffix](data.decode("utf-8-sig"))
    except (UnicodeDecodeError, ValueError, RecursionError, csv.Error) as error:
        raise DataError(f"{name}: not readable as {suffix} ({error}); wanted a file as the app exports it.") from error


def _csv_rows(text: str) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(sys.maxsize)
    yield from csv.DictReader(io.StringIO(text, newline=""))


def _json_rows(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.split("\n"):
        if line.strip():
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError("a line is no object")
            yield row


def _markdown_rows(text: str) -> Iterator[Mapping[str, Any]]:
    row: dict[str, Any] | None = None
    name = ""
    lines = iter(text.split("\n"))
    for line in lines:
        if _SECTION.fullmatch(line):
            if row is not None:
                yield row
            row = {}
        elif row is None:
            continue
        elif (fence := _OPENS.fullmatch(line)) is not None:
            row[name] = "\n".join(iter(lambda end=fence[1]: _before(end, lines), None))  # type: ignore[misc]
        elif (heading := _NAME.fullmatch(line)) is not None:
            name = _plain(heading[1])
        elif (value := _VALUE.fullmatch(line)) is not None:
            row[_plain(value[1])] = _plain(value[2])
    if row is not None:
        yield row


def _before(end: str, lines: Iterator[str]) -> str | None:
    """The next line of a fence, None at its end. ValueError if the file ends in it."""
    line = next(lines, None)
    if line is None:
        raise ValueError("a fence is not closed")
    return None if line == end else line


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)
