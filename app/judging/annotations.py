"""Annotations of rollouts: seen, tags, notes, verdicts. Kept in a SQLite file in the runs folder.

The table `history` is append-only; the current state is the last entry of each kind. An entry belongs to a run by the
run's identity, not its name, and to a response by its text: the entries of a renamed run still apply, and those of
another run of the same name, or of another text under the same key, never do. Rollouts are never edited, and scores
with overrides are shown next to the originals. Several tabs and users may write at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from app.queries.keys import KEY_COLUMNS, Response, RowKey
from orz_bench.errors import DataError, RecordError
from orz_bench.records.rollout import VERDICTS
from orz_bench.records.run_dir import RunDir

FILE_NAME = "annotations.sqlite"
SCHEMA_VERSION = 2
_BUSY_S = 10.0
MAX_TAG_CHARS, MAX_NOTE_CHARS = 60, 10_000

Field = Literal["seen", "tag", "note", "verdict"]
"""The kind of an entry. An entry with the value null undoes an earlier one."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS history (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, run TEXT NOT NULL,
  benchmark TEXT NOT NULL, step INTEGER NOT NULL, fingerprint TEXT NOT NULL, problem_id TEXT NOT NULL,
  sample_index INTEGER NOT NULL, field TEXT NOT NULL, name TEXT NOT NULL, value TEXT, reason TEXT
);
CREATE TRIGGER IF NOT EXISTS history_is_not_changed BEFORE UPDATE ON history
  BEGIN SELECT raise(ABORT, 'history is only added to'); END;
CREATE TRIGGER IF NOT EXISTS history_is_not_deleted BEFORE DELETE ON history
  BEGIN SELECT raise(ABORT, 'history is only added to'); END;
DROP VIEW IF EXISTS current;
DROP INDEX IF EXISTS history_by_row;
ALTER TABLE history ADD COLUMN run_id TEXT NOT NULL DEFAULT '';
ALTER TABLE history ADD COLUMN text_hash TEXT NOT NULL DEFAULT '';
CREATE INDEX history_by_run ON history (run_id, run, benchmark, step, fingerprint, problem_id, sample_index);
"""
"""Schema 1 had neither the run's identity nor the text's hash: its entries have none, and apply by the run's name."""
_KEY = ", ".join(KEY_COLUMNS)
_IS_ROW = " AND ".join(f"{name} = ?" for name in KEY_COLUMNS)
_IS_RUN = "(run_id = ? OR (run_id = '' AND run = ? AND substr(time, 1, 19) >= ?))"
"""Entries of this run; an entry without identity matches by name if it is not older than the run."""


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """Identifies the run that an entry is about."""

    name: str
    """Its path below the runs folder: it may change, and another run may get it."""
    id: str
    created: str = ""
    """UTC, ISO 8601, from run.json."""

    @classmethod
    def of(cls, path: Path, *, name: str) -> RunIdentity:
        """The run in this folder, identified by facts in run.json about its start, which copying and renaming keep."""
        info = RunDir(path).info()
        created = str(info.get("created", ""))
        facts = [info.get(fact) for fact in ("run_id", "kind", "created", "command", "seed")]
        text = json.dumps(facts, sort_keys=True, default=str)
        return cls(name, hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()[:16], created)

    @property
    def values(self) -> list[str]:
        """The parameters of _IS_RUN."""
        return [self.id, self.name, self.created[:19]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the history."""

    time: str
    """UTC, ISO 8601."""
    author: str
    key: RowKey
    field: Field
    name: str
    """The tag, for an entry about one; else empty."""
    value: str | None
    """None if something was undone."""
    reason: str | None
    is_of_another: bool = False
    """Whether it is about a different response: another run of the name, or another text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """The current annotation of one rollout."""

    key: RowKey
    is_seen: bool = False
    tags: tuple[str, ...] = ()
    note: str = ""
    verdict: str | None = None
    """A person's verdict that overrides the grader's; the rollout keeps its own."""
    reason: str | None = None
    """The reason for the override."""


class Annotations:
    """The annotations of one run. Every call opens the file, so it can be used from any thread."""

    def __init__(self, path: Path, run: RunIdentity, *, author: str = "") -> None:
        self.path = path
        self.run = run
        self._author = author

    @classmethod
    def of_run_at(cls, path: Path, *, name: str, side: Path, author: str) -> Annotations:
        """The annotations of the run at `path`, which has this name in its runs folder; they are kept in `side`."""
        return cls(side / FILE_NAME, RunIdentity.of(path, name=name), author=author)

    def mark_seen(self, response: Response, *, is_seen: bool = True) -> None:
        """Mark it as seen, or undo that."""
        self._add(response, field="seen", value="yes" if is_seen else None)

    def add_tag(self, response: Response, *, tag: str) -> None:
        """Add a tag. RecordError if it is empty or too long."""
        self._add(response, field="tag", name=_tag(tag), value="yes")

    def remove_tag(self, response: Response, *, tag: str) -> None:
        """Remove a tag."""
        self._add(response, field="tag", name=_tag(tag), value=None)

    def write_note(self, response: Response, *, note: str) -> None:
        """Replace the note; an empty one removes it."""
        if len(note) > MAX_NOTE_CHARS:
            raise RecordError(f"the note has {len(note)} characters, the limit is {MAX_NOTE_CHARS}; shorten it.")
        self._add(response, field="note", value=note.strip() or None)

    def override_verdict(self, response: Response, *, verdict: str | None, reason: str) -> None:
        """Override the grader's verdict, or (None) undo that. RecordError without a reason."""
        if verdict is not None and verdict not in VERDICTS:
            raise RecordError(f"unknown verdict {verdict!r}; choose one of {', '.join(VERDICTS)}.")
        if not reason.strip():
            raise RecordError("an override needs a reason; write why the grader's verdict is wrong.")
        self._add(response, field="verdict", value=verdict, reason=reason.strip())

    def of(self, response: Response) -> Annotation:
        """The current annotation of one response."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT field, name, value, reason FROM history WHERE {_IS_RUN} AND {_IS_ROW} "
                "AND text_hash IN ('', ?) ORDER BY id",
                [*self.run.values, *_row(response.key), response.text_hash],
            ).fetchall()
        return _annotation(response.key, rows)

    def of_run(self) -> dict[Response, Annotation]:
        """The current annotations of all annotated responses of the run; without a text hash if no entry has one."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_KEY}, text_hash, field, name, value, reason FROM history WHERE {_IS_RUN} ORDER BY id",
                self.run.values,
            ).fetchall()
        entries: dict[RowKey, list[tuple[str, ...]]] = defaultdict(list)
        for row in rows:
            entries[RowKey(*row[:5])].append(row[5:])
        return {
            Response(key, text_hash): annotation
            for key, noted in entries.items()
            for text_hash in {found for found, *_ in noted if found} or {""}
            if (annotation := _annotation(key, [entry for found, *entry in noted if found in ("", text_hash)]))
            != Annotation(key=key)
        }

    def version(self) -> int:
        """A number that increases with every entry of the run; 0 without entries."""
        with self._open() as database:
            found = database.execute(
                f"SELECT coalesce(max(id), 0) FROM history WHERE {_IS_RUN}", self.run.values
            ).fetchone()
            return int(found[0])

    def history(self, response: Response, *, limit: int = 200) -> list[Entry]:
        """The entries under a rollout's key, newest first: its own, and those of another response."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT NOT ({_IS_RUN} AND text_hash IN ('', ?)), time, author, field, name, value, reason "
                f"FROM history WHERE (run_id = ? OR run = ?) AND {_IS_ROW} ORDER BY id DESC LIMIT ?",
                [*self.run.values, response.text_hash, self.run.id, self.run.name, *_row(response.key), limit],
            ).fetchall()
        return [
            Entry(
                time=time, author=author, key=response.key, field=field, name=name, value=value, reason=reason,
                is_of_another=bool(is_of_another),
            )
            for is_of_another, time, author, field, name, value, reason in rows
        ]  # fmt: skip

    def _add(
        self, response: Response, *, field: Field, name: str = "", value: str | None, reason: str | None = None
    ) -> None:
        assert field in get_args(Field)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        holes = ", ".join("?" * 14)
        values = [now, self._author, self.run.name, *_row(response.key), field, name, value, reason]
        with self._open() as database:
            database.execute(
                f"INSERT INTO history (time, author, run, {_KEY}, field, name, value, reason, run_id, text_hash) "
                f"VALUES ({holes})",
                [*values, self.run.id, response.text_hash],
            )

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=_BUSY_S)) as database, database:
                _prepare(database)
                yield database
        except sqlite3.Error as error:
            raise DataError(
                f"{self.path}: the annotations cannot be used ({error}). The runs are not affected; make the file "
                f"writable, or move it away to start a new one."
            ) from error


def _prepare(database: sqlite3.Connection) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has schema {version}, this version reads schemas up to {SCHEMA_VERSION}")
    if version < SCHEMA_VERSION:
        database.execute("BEGIN IMMEDIATE")
        if database.execute("PRAGMA user_version").fetchone() != (SCHEMA_VERSION,):  # another writer may have been here
            for statement in sqlite_statements(_SCHEMA):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        database.commit()


def sqlite_statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _row(key: RowKey) -> list[str | int]:
    return [getattr(key, name) for name in KEY_COLUMNS]


def _tag(text: str) -> str:
    tag = " ".join(text.split())
    if not 0 < len(tag) <= MAX_TAG_CHARS:
        raise RecordError(f"the tag has {len(tag)} characters; wanted 1 to {MAX_TAG_CHARS}.")
    return tag


def _annotation(key: RowKey, entries: Iterable[Sequence[str | None]]) -> Annotation:
    """The state after these entries (field, name, value, reason), in the order in which they were written."""
    last = {(field, name): (value, reason) for field, name, value, reason in entries}
    held = {key: pair for key, pair in last.items() if pair[0] is not None}
    verdict, reason = held.get(("verdict", ""), (None, None))
    return Annotation(
        key=key,
        is_seen=("seen", "") in held,
        tags=tuple(sorted(str(name) for field, name in held if field == "tag")),
        note=held.get(("note", ""), ("", None))[0] or "",
        verdict=verdict,
        reason=reason,
    )
