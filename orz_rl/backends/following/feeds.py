"""Logs as feeds of metrics: texts of lines, and TensorBoard's event files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_bench.exchange.logs.event_files import line_of, scalars
from orz_bench.exchange.logs.line import Line, Parser
from orz_bench.exchange.logs.values import json_row
from orz_rl.backends.following.growing import GrowingFile, GrowingLines

LOG_SUFFIXES = (".log", ".txt", ".out", ".err")
_MOST_TOLD = 5


class LogFeed:
    """A text that grows, after what was rotated away before we came (`log.2`, `log.1`)."""

    def __init__(self, path: Path, parser: Parser, *, is_rounded: bool = False, has_whole_steps: bool = True) -> None:
        self.key, self.kind = path, type(parser).__name__
        self.is_rounded, self.has_whole_steps = is_rounded, has_whole_steps
        self._parser, self._num_told = parser, 0
        self._lines: GrowingLines | None = None

    @property
    def ended(self) -> bool:
        """As its last lines say."""
        return self._parser.ended

    def poll(self, *, is_last: bool) -> Iterator[Line | str]:
        """See Feed."""
        if self._lines is None:
            for old in _rotated(self.key):
                with closing(GrowingLines(old)) as lines:
                    yield from self._parsed(lines)
            self._lines = GrowingLines(self.key)
        yield from self._parsed(self._lines)

    def close(self) -> None:
        """See Feed."""
        if self._lines is not None:
            self._lines.close()

    def _parsed(self, lines: GrowingLines) -> Iterator[Line | str]:
        for text in lines.read(self._parser.is_whole):
            if text is None:
                yield f"{self.key} was started anew (truncated, rotated or replaced); it is read from its start"
            elif text:
                yield from filter(self._is_told, self._parser.parse(text))

    def _is_told(self, found: Line | str) -> bool:
        """Of texts only the first few: a log may have a million lines that say nothing."""
        self._num_told += isinstance(found, str)
        return isinstance(found, Line) or self._num_told <= _MOST_TOLD


def events_or_log(path: Path, parser: Parser, *, is_named: bool) -> LogFeed | EventsFeed | None:
    """TensorBoard's event files, or a log that the parser reads; None for any other file. See Tool.feed."""
    if path.name.startswith("events.out.tfevents."):
        return EventsFeed(path.parent)
    return LogFeed(path, parser) if is_named or path.suffix in LOG_SUFFIXES else None


def _rotated(path: Path) -> list[Path]:
    """`log.2`, `log.1`: the oldest first."""
    found = (
        (re.fullmatch(re.escape(path.name) + r"\.(\d{1,4})", other.name), other) for other in path.parent.iterdir()
    )
    numbered = [(int(match.group(1)), other) for match, other in found if match is not None]
    return [other for _, other in sorted(numbered, reverse=True)]


class EventsFeed:
    """The event files of one folder: each start of training writes a new one."""

    def __init__(self, folder: Path) -> None:
        self.key, self.kind, self.is_rounded, self.has_whole_steps = folder, "events", True, False
        self.ended = False
        self._files: dict[Path, tuple[GrowingFile, bytearray]] = {}

    def poll(self, *, is_last: bool) -> Iterator[Line | str]:
        """See Feed. A record that is not whole yet is left for the next time."""
        for path in event_files(self.key):
            file, rest = self._files.setdefault(path, (GrowingFile(path), bytearray()))
            for piece in file.read():
                if piece is None:
                    rest.clear()
                    yield f"{path} was started anew; it is read from its start"
                else:
                    rest += piece
                    yield from map(line_of, scalars(rest))
            if is_last and rest:
                yield f"{path}: its last {counted(len(rest), 'byte')} are not a whole record; they are left out"

    def close(self) -> None:
        """See Feed."""
        for file, _ in self._files.values():
            file.close()


def event_files(folder: Path) -> list[Path]:
    """TensorBoard's files in a folder, oldest first: their names begin with the time."""
    return sorted(folder.glob("events.out.tfevents.*"), key=lambda path: (path.name.split(".")[3], path.name))


def first_row(path: Path) -> dict[str, Any] | None:
    """The object in the first line of a file, as far as it is complete."""
    try:
        with path.open("rb") as file:
            line = file.readline(1 << 24)
    except OSError:
        return None
    return json_row(line.decode("utf-8", errors="replace")) if line.endswith(b"\n") else None


def whole_json(path: Path) -> dict[str, Any] | None:
    """The object in a file; None while it is being written."""
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
