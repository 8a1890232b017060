"""The file of annotations: its schema, how older files get it, and connections to it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from orz_bench.errors import DataError

SCHEMA_VERSION = 3
_BUSY_S = 10.0

_SCHEMA_2 = """
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
_SCHEMA_3 = "ALTER TABLE history ADD COLUMN imported_by TEXT NOT NULL DEFAULT '';"
_STEPS = {2: _SCHEMA_2, 3: _SCHEMA_3}
"""By version: what leads to it from the one before; the first step from an empty file, too."""


@contextlib.contextmanager
def opened(path: Path, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection whose changes are committed at the end. With `writes` nobody else writes meanwhile, so that what is
    read here still holds when it is written. DataError for a file that cannot be used.
    """
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_S)) as database, database:
            _prepare(database)
            if writes:
                database.execute("BEGIN IMMEDIATE")
            yield database
    except sqlite3.Error as error:
        raise DataError(
            f"{path}: the annotations cannot be used ({error}). The runs are not affected; make the file "
            f"writable, or move it away to start a new one."
        ) from error


def _prepare(database: sqlite3.Connection) -> None:
    version = _version(database)
    if version > SCHEMA_VERSION:
        raise sqlite3.DatabaseError(f"it has schema {version}, this version reads schemas up to {SCHEMA_VERSION}")
    if version == SCHEMA_VERSION:
        return
    database.execute("BEGIN IMMEDIATE")
    found = _version(database)  # another writer may have been here
    for statement in (one for step, script in _STEPS.items() if step > found for one in sqlite_statements(script)):
        database.execute(statement)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    database.commit()


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def sqlite_statements(script: str) -> Iterator[str]:
    """The statements of a script one by one: executescript would commit the open transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
