"""Rows as CSV, JSON lines or Markdown, written incrementally: one row in memory at a time.

A row is a mapping of names to plain values; all rows have the names of the first. JSON lines are exact. In CSV, a text
that a spreadsheet would run as a formula gets a leading apostrophe. In Markdown, texts are in fences that they cannot
close.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from app.markdown import escaped

Row = Mapping[str, Any]
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")
_FENCE = re.compile(r"`{3,}")
_SHORT_CHARS = 80


@dataclass(frozen=True, slots=True)
class Format:
    """A format for rows."""

    title: str
    suffix: str
    mime: str
    write: Callable[[Iterable[Row]], Iterator[str]]
    """Rows -> pieces of the file."""


def csv_of(rows: Iterable[Row]) -> Iterator[str]:
    """A header and one record per row (RFC 4180); unknown is empty, nested values are JSON."""
    names: list[str] = []
    for row in rows:
        if not names:
            names = list(row)
            yield _csv_line(names)
        yield _csv_line([_csv_cell(row.get(name)) for name in names])


def _csv_line(cells: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(list(cells))
    return buffer.getvalue()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, str):
        is_formula = _FORMULA.match(value) is not None and _NUMBER.fullmatch(value) is None
        return f"'{value}" if is_formula else value.replace("\0", "\ufffd")
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return _known(value)


def json_lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """One object per line; unknown is null."""
    for row in rows:
        yield json.dumps({name: _known(value) for name, value in row.items()}, ensure_ascii=False) + "\n"


def markdown_of(rows: Iterable[Row]) -> Iterator[str]:
    """One section per row: short values as a list, long or multi-line texts in fences."""
    for number, row in enumerate(rows, start=1):
        known = {name: value for name, value in row.items() if _known(value) is not None}
        short = {name: value for name, value in known.items() if not _is_long(value)}
        yield f"## {number}\n\n"
        for name, value in short.items():
            yield f"- {escaped(name)}: {escaped(str(value))}\n"
        for name in [name for name in known if name not in short]:
            yield f"\n**{escaped(name)}**\n\n{_fenced(str(known[name]))}\n"
        yield "\n"


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > _SHORT_CHARS or "\n" in value)


def _fenced(text: str) -> str:
    longest = max((len(run) for run in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{text}\n{fence}\n"


def _known(value: Any) -> Any:
    """None for NaN: unknown is absent in every format."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "csv": Format("CSV", "csv", "text/csv", csv_of),
        "jsonl": Format("JSON lines", "jsonl", "application/x-ndjson", json_lines_of),
        "md": Format("Markdown", "md", "text/markdown", markdown_of),
    }
)


def exported(rows: Iterable[Row], format_name: str) -> bytes:
    """The whole file. KeyError for a format that is not in FORMATS."""
    return "".join(FORMATS[format_name].write(rows)).encode("utf-8", errors="replace")
