"""What people note about rollouts: seen, tags, notes, verdicts of their own. In a SQLite file beside the runs.

The table `history` is only ever added to; what holds now is the view `current`, the last entry of each kind. Rollouts
are never edited, and scores with overrides are given beside the originals. Several tabs and users may write at once.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from app.queries.keys import KEY_COLUMNS, RowKey
from orz_bench.errors import DataError, RecordError
from orz_bench.records.rollout import VERDICTS

FILE_NAME = "annotations.sqlite"
SCHEMA_VERSION = 1
_BUSY_S = 10.0
MAX_TAG_CHARS, MAX_NOTE_CHARS = 60, 10_000

Field = Literal["seen", "tag", "note", "verdict"]
"""What an entry is about. An entry with the value null takes back what it is about."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS history (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, run TEXT NOT NULL,
  benchmark TEXT NOT NULL, step INTEGER NOT NULL, fingerprint TEXT NOT NULL, problem_id TEXT NOT NULL,
  sample_index INTEGER NOT NULL, field TEXT NOT NULL, name TEXT NOT NULL, value TEXT, reason TEXT
);
CREATE INDEX IF NOT EXISTS history_by_row
  ON history (run, benchmark, step, fingerprint, problem_id, sample_index, field, name);
CREATE TRIGGER IF NOT EXISTS history_is_not_changed BEFORE UPDATE ON history
  BEGIN SELECT raise(ABORT, 'history is only added to'); END;
CREATE TRIGGER IF NOT EXISTS history_is_not_deleted BEFORE DELETE ON history
  BEGIN SELECT raise(ABORT, 'history is only added to'); END;
CREATE VIEW IF NOT EXISTS current AS
  SELECT * FROM history WHERE value IS NOT NULL AND id IN (
    SELECT max(id) FROM history
    GROUP BY run, benchmark, step, fingerprint, problem_id, sample_index, field, name);
"""
_KEY = ", ".join(KEY_COLUMNS)
_IS_ROW = " AND ".join(f"{name} = ?" for name in ("run", *KEY_COLUMNS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history."""

    time: str
    """UTC, ISO 8601."""
    author: str
    key: RowKey
    field: Field
    name: str
    """The tag of a tag; else empty."""
    value: str | None
    """None where something was taken back."""
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What holds of one rollout now."""

    key: RowKey
    is_seen: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    verdict: str | None = None
    """What a person says instead of the grader; the rollout keeps its own."""
    reason: str | None = None
    """Why they say so."""


class Annotations:
    """The annotations of one runs folder. Every call opens the file anew, so it may be used from any thread."""

    def __init__(self, path: Path, *, author: str = "") -> None:
        self.path = path
        self._author = author

    def mark_seen(self, run: str, key: RowKey, *, is_seen: bool = True) -> None:
        """Note that somebody looked at it, or take that back."""
        self._add(run, key, field="seen", value="yes" if is_seen else None)

    def add_tag(self, run: str, key: RowKey, *, tag: str) -> None:
        """Add a tag. RecordError for an empty or overlong one."""
        self._add(run, key, field="tag", name=_tag(tag), value="yes")

    def remove_tag(self, run: str, key: RowKey, *, tag: str) -> None:
        """Take a tag back."""
        self._add(run, key, field="tag", name=_tag(tag), value=None)

    def write_note(self, run: str, key: RowKey, *, note: str) -> None:
        """Replace the note; an empty one takes it back."""
        if len(note) > MAX_NOTE_CHARS:
            raise RecordError(f"the note has {len(note)} characters, at most {MAX_NOTE_CHARS} fit; shorten it.")
        self._add(run, key, field="note", value=note.strip() or None)

    def override_verdict(self, run: str, key: RowKey, *, verdict: str | None, reason: str) -> None:
        """Say another verdict than the grader, or (None) take that back. RecordError without a reason."""
        if verdict is not None and verdict not in VERDICTS:
            raise RecordError(f"there is no verdict {verdict!r}; choose of {', '.join(VERDICTS)}.")
        if not reason.strip():
            raise RecordError("a verdict of your own needs a reason; write why the grader's does not hold.")
        self._add(run, key, field="verdict", value=verdict, reason=reason.strip())

    def of(self, run: str, key: RowKey) -> Annotation:
        """What holds of one rollout."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_KEY}, field, name, value, reason FROM current WHERE {_IS_ROW}", _row(run, key)
            )
            return _joined(rows.fetchall()).get(key, Annotation(key=key))

    def of_run(self, run: str) -> dict[RowKey, Annotation]:
        """What holds of every annotated rollout of a run."""
        with self._open() as database:
            rows = database.execute(f"SELECT {_KEY}, field, name, value, reason FROM current WHERE run = ?", [run])
            return _joined(rows.fetchall())

    def version(self, run: str) -> int:
        """A number that grows with every entry of a run; 0 without any."""
        with self._open() as database:
            found = database.execute("SELECT coalesce(max(id), 0) FROM history WHERE run = ?", [run]).fetchone()
            return int(found[0])

    def history(self, run: str, key: RowKey | None = None, *, limit: int = 200) -> list[Entry]:
        """The entries of a run, or of one of its rollouts, newest first."""
        condition, values = (_IS_ROW, _row(run, key)) if key else ("run = ?", [run])
        with self._open() as database:
            rows = database.execute(
                f"SELECT time, author, {_KEY}, field, name, value, reason FROM history WHERE {condition} "
                "ORDER BY id DESC LIMIT ?",
                [*values, limit],
            ).fetchall()
        return [
            Entry(
                time=time,
                author=author,
                key=RowKey(*rest[:5]),
                field=rest[5],
                name=rest[6],
                value=rest[7],
                reason=rest[8],
            )
            for time, author, *rest in rows
        ]

    def _add(
        self, run: str, key: RowKey, *, field: Field, name: str = "", value: str | None, reason: str | None = None
    ) -> None:
        assert field in get_args(Field)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        holes = ", ".join("?" * 12)
        with self._open() as database:
            database.execute(
                f"INSERT INTO history (time, author, run, {_KEY}, field, name, value, reason) VALUES ({holes})",
                [now, self._author, *_row(run, key), field, name, value, reason],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_BUSY_S)) as database, database:
                _prepare(database)
                yield database
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path}: the annotations cannot be used ({error}). Nothing of the runs is lost; make the file "
                f"writable, or move it away to begin anew."
            ) from error


def _prepare(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has schema {version}, this version reads up to {SCHEMA_VERSION}")
    if version < SCHEMA_VERSION:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _row(run: str, key: RowKey) -> list[str | int]:
    return [run, *(getattr(key, name) for name in KEY_COLUMNS)]


def _tag(text: str) -> str:
    tag = " ".join(text.split())
    if not 0 < len(tag) <= MAX_TAG_CHARS:
        raise RecordError(f"a tag of {len(tag)} characters; wanted 1 to {MAX_TAG_CHARS}.")
    return tag


def _joined(rows: Sequence[tuple[str | int, ...]]) -> dict[RowKey, Annotation]:
    fields: dict[RowKey, list[tuple[str, ...]]] = defaultdict(list)
    for row in rows:
        fields[RowKey(*row[:5])].append(row[5:])  # type: ignore[arg-type]  # SQLite rows have no types
    return {key: _annotation(key, entries) for key, entries in fields.items()}


def _annotation(key: RowKey, entries: Sequence[tuple[str, ...]]) -> Annotation:
    by_field = {field: (value, reason) for field, _, value, reason in entries if field != "tag"}
    verdict, reason = by_field.get("verdict", (None, None))
    return Annotation(
        key=key,
        is_seen="seen" in by_field,
        tags=tuple(sorted(name for field, name, _, _ in entries if field == "tag")),
        note=by_field.get("note", ("", None))[0],
        verdict=verdict,
        reason=reason,
    )
