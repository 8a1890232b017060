"""Full-text search in responses: literal text, or RE2 regular expressions, which take linear time.

DuckDB does the matching, counting and locating of hits, so that the highlighted text is what was found. A search that
takes longer than TIMEOUT_S is stopped with an error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import duckdb

from app.queries.filters import Filters
from orz_bench.errors import ConfigError, DataError

TIMEOUT_S = 60.0
MAX_PATTERN_CHARS = 500
MAX_SPANS = 2000
"""Number of hits marked in one text; further ones are only counted."""


CONTEXT_CHARS = 40
"""Shown on each side of a hit in a list."""
MAX_HIT_CHARS = 120
"""Shown of a hit there."""


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A search pattern. Case-sensitive literal text is searched without RE2."""

    text: str
    is_regex: bool
    ignores_case: bool

    @classmethod
    def of(cls, filters: Filters) -> Pattern | None:
        """The validated pattern of these filters; None without a search text.

        Raises ConfigError for an expression that RE2 rejects, or that is too long.
        """
        if not filters.text:
            return None
        if len(filters.text) > MAX_PATTERN_CHARS:
            raise ConfigError(
                f"the search text has {len(filters.text)} characters; the limit is {MAX_PATTERN_CHARS}; shorten it."
            )
        pattern = cls(filters.text, filters.mode == "regex", filters.ignores_case)
        if pattern.is_regex:
            pattern.check()
        return pattern

    @property
    def expression(self) -> str:
        """The regular expression."""
        flags = "(?i)" if self.ignores_case else ""
        return flags + (self.text if self.is_regex else escaped(self.text))

    @property
    def uses_regex(self) -> bool:
        """Whether RE2 does the search."""
        return self.is_regex or self.ignores_case

    def check(self) -> None:
        """Raise ConfigError if RE2 rejects the expression."""
        try:
            _engine().cursor().execute("SELECT regexp_matches('', ?)", [self.expression]).fetchall()
        except duckdb.Error as error:
            reason = str(error).partition("Error: ")[2].splitlines()[0]
            raise ConfigError(
                f"{self.text!r} is not a valid RE2 regular expression ({reason}). RE2 has no look-around and no "
                f"back-references; write \\ before . * + ? ( ) [ ] {{ }} | ^ $ and \\ to match the character itself."
            ) from error


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """A database without tables, for RE2 on single texts."""
    return duckdb.connect()


def escaped(text: str) -> str:
    """An RE2 expression that matches exactly this text, including NUL."""
    return "".join(char if char.isalnum() or ord(char) > 127 else f"\\x{{{ord(char):x}}}" for char in text)


def hits_sql(pattern: Pattern, files: Sequence[str]) -> tuple[str, list[object]]:
    """A query for (path, row, num_hits) of the matching rows of these files, with its parameters."""
    if pattern.uses_regex:
        matches = "regexp_matches(completion, ?)"
        found = "regexp_extract_all(completion, ?)"
        # An expression, unlike literal text, may match no characters at all.
        count = f"len(list_filter({found}, lambda hit: hit <> ''))" if pattern.is_regex else f"len({found})"
        words: list[object] = [pattern.expression]
    else:
        matches = "contains(completion, ?)"
        count = "(strlen(completion) - strlen(replace(completion, ?, ''))) // strlen(?)"
        words = [pattern.text, pattern.text]
    sql = (
        f"SELECT filename, file_row_number, {count} AS num_hits "
        f"FROM read_parquet(?, filename = true, file_row_number = true, hive_partitioning = false) WHERE {matches}"
    )
    return sql, [*words, list(files), words[0]]


def spans(text: str, pattern: Pattern, *, limit: int = MAX_SPANS) -> list[Span]:
    """The places where the pattern matches in one text, in order: the first `limit` non-empty matches."""
    if not pattern.uses_regex:
        return _literal_spans(text, pattern.text, limit=limit)
    opening, closing = _absent_marks(text)
    cursor = _engine().cursor()
    with bounded(cursor):
        marked = cursor.execute(
            "SELECT regexp_replace(?, ?, ?, 'g')", [text, pattern.expression, f"{opening}\\0{closing}"]
        ).fetchone()
    assert marked is not None
    return _spans_of_marked(marked[0], opening, closing=closing)[:limit]


def _literal_spans(text: str, wanted: str, *, limit: int) -> list[Span]:
    found: list[Span] = []
    at = text.find(wanted)
    while at >= 0 and len(found) < limit:
        found.append(Span(at, at + len(wanted)))
        at = text.find(wanted, at + len(wanted))
    return found


def context_of(text: str, pattern: Pattern, *, chars: int = CONTEXT_CHARS) -> str | None:
    """The first hit between ⟦ and ⟧ with so many characters on each side; None without one."""
    found = spans(text, pattern, limit=1)
    if not found:
        return None
    start, end = found[0].start, found[0].end
    before, after = text[max(start - chars, 0) : start], text[end : end + chars]
    hit = text[start : min(end, start + MAX_HIT_CHARS)]
    return f"{'…' if start > chars else ''}{before}⟦{hit}⟧{after}{'…' if end + chars < len(text) else ''}"


def _absent_marks(text: str) -> tuple[str, str]:
    """Two private-use characters that the text does not contain (a text with all of them is too long to be shown)."""
    used = set(text)
    free = (chr(point) for point in range(0xF0000, 0xFFFFE) if chr(point) not in used)
    return next(free), next(free)


def _spans_of_marked(marked: str, opening: str, *, closing: str) -> list[Span]:
    found: list[Span] = []
    at = 0
    first, *pieces = marked.split(opening)
    at += len(first)
    for piece in pieces:
        inside, _, after = piece.partition(closing)
        if inside:
            found.append(Span(at, at + len(inside)))
        at += len(inside) + len(after)
    return found


@contextmanager
def bounded(database: duckdb.DuckDBPyConnection, timeout_s: float = TIMEOUT_S) -> Iterator[None]:
    """Interrupt the connection after `timeout_s` seconds, with a DataError."""
    timer = threading.Timer(timeout_s, database.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise DataError(
            f"the search took longer than {timeout_s:.0f} s and was stopped; filter by benchmark or step, or search "
            f"for literal text."
        ) from error
    finally:
        timer.cancel()
