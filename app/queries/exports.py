"""Rows as CSV, JSON lines, Markdown or an HTML page, written incrementally: one row in memory at a time.

A row is a mapping of names to plain values; all rows have the names of the first. All formats are exact (app.queries.
export_reading brings the rows back) but two: the page is for people, and in CSV for spreadsheets, a text or name that
a spreadsheet would run as a formula gets a leading apostrophe. In Markdown, texts are in fences that they cannot close.
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

from app.markdown import escaped_exactly, plain
from app.queries.html_export import html_of

Row = Mapping[str, Any]
_FORMULA = re.compile("[=+\\-@\t\r\n\uff0b\uff0d\uff1d\uff20]")
"""What starts a formula in a spreadsheet; the last four are full-width forms."""
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
    comes_back: bool = True
    """Whether app.queries.export_reading reads it."""


def csv_of(rows: Iterable[Row]) -> Iterator[str]:
    """A header and one record per row (RFC 4180), exact; unknown is empty, nested values are JSON."""
    return _csv(rows, guard=_as_it_is)


def spreadsheet_csv_of(rows: Iterable[Row]) -> Iterator[str]:
    """The same, but nothing in it is a formula: names and texts that would be one get a leading apostrophe."""
    return _csv(rows, guard=_guarded)


def _csv(rows: Iterable[Row], *, guard: Callable[[str], str]) -> Iterator[str]:
    names: list[str] = []
    for row in rows:
        if not names:
            names = list(row)
            yield _csv_line([guard(name) for name in names])
        yield _csv_line([_csv_cell(row.get(name), guard=guard) for name in names])


def _csv_line(cells: Iterable[Any]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer).writerow(list(cells))
    return buffer.getvalue()


def _csv_cell(value: Any, *, guard: Callable[[str], str]) -> Any:
    if isinstance(value, Mapping | list | tuple):
        return guard(json.dumps(value, ensure_ascii=False))
    return guard(value) if isinstance(value, str) else _known(value)


def _as_it_is(text: str) -> str:
    return text


def _guarded(text: str) -> str:
    is_formula = _FORMULA.match(text) is not None and _NUMBER.fullmatch(text) is None
    return f"'{text}" if is_formula else text


def json_lines_of(rows: Iterable[Row]) -> Iterator[str]:
    """One object per line; unknown is null."""
    for row in rows:
        yield json.dumps({name: _known(value) for name, value in row.items()}, ensure_ascii=False) + "\n"


def markdown_of(rows: Iterable[Row]) -> Iterator[str]:
    """One section per row: short values as a list, others in fences; nested values are JSON, unknown is left out."""
    for number, row in enumerate(rows, start=1):
        known = {name: _shown(value) for name, value in row.items() if _known(value) is not None}
        short = {name: text for name, text in known.items() if _is_short(text)}
        yield f"## {number}\n\n"
        for name, text in short.items():
            yield f"- {escaped_exactly(plain(name))}: {escaped_exactly(text)}\n"
        for name in [name for name in known if name not in short]:
            yield f"\n**{escaped_exactly(plain(name))}**\n\n{_fenced(known[name])}\n"
        yield "\n"


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, Mapping | list | tuple) else str(value)


def _is_short(text: str) -> bool:
    """Whether it is one line that is shown as it is: without hidden characters and with single blanks."""
    return len(text) <= _SHORT_CHARS and plain(text) == text


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
        "csv-safe": Format("CSV, safe for spreadsheets", "csv", "text/csv", spreadsheet_csv_of),
        "jsonl": Format("JSON lines", "jsonl", "application/x-ndjson", json_lines_of),
        "md": Format("Markdown", "md", "text/markdown", markdown_of),
        "html": Format("HTML page, opens offline", "html", "text/html", html_of, comes_back=False),
    }
)


def exported(rows: Iterable[Row], format_name: str) -> bytes:
    """The whole file. KeyError for a format that is not in FORMATS."""
    return "".join(FORMATS[format_name].write(rows)).encode("utf-8", errors="replace")
