"""Annotations of rollouts: seen, tags, notes, verdicts. Kept in a SQLite file in the runs folder.

The table `history` is append-only; the current state is the last entry of each kind by its time, so that histories of
several places can be united in any order (app.judging.travel). An entry belongs to a run by the
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
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args

from app.judging.annotation_file import opened
from app.queries.keys import KEY_COLUMNS, Response, RowKey
from orz_bench.errors import RecordError
from orz_bench.records.rollout import VERDICTS
from orz_bench.records.run_dir import RunDir

FILE_NAME = "annotations.sqlite"
MAX_TAG_CHARS, MAX_NOTE_CHARS = 60, 10_000

Field = Literal["seen", "tag", "note", "verdict"]
"""The kind of an entry. An entry with the value null undoes an earlier one."""

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
    imported_by: str = ""
    """Who read it from a file, in which its author and time stood; empty for one that was written here."""
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

    def write_note(self, response: Response, *, note: str, over: str | None = None) -> bool:
        """Replace the note `over`, by default whatever is there; an empty one removes it.

        If another was written in its place meanwhile, both are kept, this one below; returns whether that was so.
        """
        with self._open(writes=True) as database:
            there, wanted = self._now(database, response).note, note.strip()
            is_other = over is not None and there != over.strip() and bool(wanted) and not wanted.startswith(there)
            text = f"{there}\n\n{wanted}" if is_other else wanted
            if len(text) > MAX_NOTE_CHARS:
                raise RecordError(f"the note has {len(text)} characters, the limit is {MAX_NOTE_CHARS}; shorten it.")
            said = _said(response.key, field="note", value=text or None)
            self._write(database, said, response=response)
        return is_other

    def override_verdict(
        self, response: Response, *, verdict: str | None, reason: str, over: Annotation | None = None
    ) -> None:
        """Override the grader's verdict, or (None) undo that. RecordError without a reason.

        RecordError, too, if the override is not that of `over` any more: somebody else has given one meanwhile.
        """
        if verdict is not None and verdict not in VERDICTS:
            raise RecordError(f"unknown verdict {verdict!r}; choose one of {', '.join(VERDICTS)}.")
        if not reason.strip():
            raise RecordError("an override needs a reason; write why the grader's verdict is wrong.")
        self.give_verdict(response, verdict=verdict, reason=reason, over=over)

    def give_verdict(
        self, response: Response, *, verdict: str | None, reason: str, over: Annotation | None = None
    ) -> None:
        """Give any verdict, or (None) take it back. RecordError if the last one is not that of `over`."""
        if len(reason) > MAX_NOTE_CHARS:
            raise RecordError(f"the reason has {len(reason)} characters, the limit is {MAX_NOTE_CHARS}; shorten it.")
        with self._open(writes=True) as database:
            now = self._now(database, response)
            if over is not None and (now.verdict, now.reason) != (over.verdict, over.reason):
                raise RecordError(
                    f"somebody else has judged this meanwhile ({now.verdict or 'verdict undone'}: "
                    f"{now.reason}); nothing was replaced: read it, then judge again if you disagree."
                )
            said = _said(response.key, field="verdict", value=verdict, reason=reason.strip())
            self._write(database, said, response=response)

    def of(self, response: Response) -> Annotation:
        """The current annotation of one response."""
        with self._open() as database:
            return self._now(database, response)

    def _now(self, database: sqlite3.Connection, response: Response) -> Annotation:
        rows = database.execute(
            f"SELECT field, name, value, reason FROM history WHERE {_IS_RUN} AND {_IS_ROW} "
            "AND text_hash IN ('', ?) ORDER BY time, id",
            [*self.run.values, *_row(response.key), response.text_hash],
        ).fetchall()
        return _annotation(response.key, rows)

    def of_run(self) -> dict[Response, Annotation]:
        """The current annotations of all annotated responses of the run; without a text hash if no entry has one."""
        with self._open() as database:
            rows = database.execute(
                f"SELECT {_KEY}, text_hash, field, name, value, reason FROM history WHERE {_IS_RUN} ORDER BY time, id",
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
                f"SELECT NOT ({_IS_RUN} AND text_hash IN ('', ?)), time, author, field, name, value, reason, "
                f"imported_by FROM history WHERE (run_id = ? OR run = ?) AND {_IS_ROW} "
                "ORDER BY time DESC, id DESC LIMIT ?",
                [*self.run.values, response.text_hash, self.run.id, self.run.name, *_row(response.key), limit],
            ).fetchall()
        return [
            Entry(
                time=time, author=author, key=response.key, field=field, name=name, value=value, reason=reason,
                imported_by=imported_by, is_of_another=bool(is_of_another),
            )
            for is_of_another, time, author, field, name, value, reason, imported_by in rows
        ]  # fmt: skip

    def entries(self) -> dict[Response, list[Entry]]:
        """All entries of the run by response, oldest first; without a text hash those of schema 1."""
        with self._open() as database:
            return _by_response(database, self.run)

    def unite(self, entries: Sequence[tuple[Response, Entry]]) -> Sequence[tuple[Response, Entry]]:
        """Add the entries that the history does not have, with their authors and times; return them."""
        with self._open(writes=True) as database:
            known = {(at, _facts(entry)) for at, found in _by_response(database, self.run).items() for entry in found}
            new = [(at, entry) for at, entry in dict.fromkeys(entries) if (at, _facts(entry)) not in known]
            for at, entry in new:
                self._insert(database, at, entry=entry)
        return new

    def _add(self, response: Response, *, field: Field, name: str = "", value: str | None) -> None:
        with self._open(writes=True) as database:
            self._write(database, _said(response.key, field=field, name=name, value=value), response=response)

    def _write(self, database: sqlite3.Connection, said: Entry, *, response: Response) -> None:
        """Add an entry of now: later than all others about the rollout, whatever the clocks of their authors said."""
        (last,) = database.execute(
            f"SELECT max(time) FROM history WHERE {_IS_RUN} AND {_IS_ROW}", [*self.run.values, *_row(response.key)]
        ).fetchone()
        now = datetime.now(UTC)
        if last is not None:
            now = max(now, datetime.fromisoformat(last) + timedelta(milliseconds=1))
        entry = replace(said, time=now.isoformat(timespec="milliseconds"), author=self._author)
        self._insert(database, response, entry=entry)

    def _insert(self, database: sqlite3.Connection, response: Response, *, entry: Entry) -> None:
        row = [entry.time, entry.author, self.run.name, *_row(response.key)]
        values = [*row, entry.field, entry.name, entry.value, entry.reason, self.run.id, response.text_hash]
        database.execute(
            f"INSERT INTO history (time, author, run, {_KEY}, field, name, value, reason, run_id, text_hash, "
            f"imported_by) VALUES ({', '.join('?' * 15)})",
            [*values, entry.imported_by],
        )

    @contextlib.contextmanager
    def _open(self, *, writes: bool = False) -> Iterator[sqlite3.Connection]:
        with opened(self.path, writes=writes) as database:
            yield database


def _said(key: RowKey, *, field: Field, name: str = "", value: str | None, reason: str | None = None) -> Entry:
    assert field in get_args(Field)
    return Entry(time="", author="", key=key, field=field, name=name, value=value, reason=reason)


def _by_response(database: sqlite3.Connection, run: RunIdentity) -> dict[Response, list[Entry]]:
    rows = database.execute(
        f"SELECT {_KEY}, text_hash, time, author, field, name, value, reason, imported_by FROM history "
        f"WHERE {_IS_RUN} ORDER BY time, id",
        run.values,
    ).fetchall()
    found: dict[Response, list[Entry]] = defaultdict(list)
    for *key, text_hash, time, author, field, name, value, reason, imported_by in rows:
        at = RowKey(*key)
        found[Response(at, text_hash)].append(
            Entry(
                time=time, author=author, key=at, field=field, name=name, value=value, reason=reason,
                imported_by=imported_by,
            )
        )  # fmt: skip
    return found


def _facts(entry: Entry) -> tuple[str | None, ...]:
    """What makes two entries about one response the same."""
    return entry.time, entry.author, entry.field, entry.name, entry.value, entry.reason


def _row(key: RowKey) -> list[str | int]:
    return [getattr(key, name) for name in KEY_COLUMNS]


def _tag(text: str) -> str:
    tag = " ".join(text.split())
    if not 0 < len(tag) <= MAX_TAG_CHARS:
        raise RecordError(f"the tag has {len(tag)} characters; wanted 1 to {MAX_TAG_CHARS}.")
    return tag


def annotation_of(key: RowKey, entries: Iterable[Entry]) -> Annotation:
    """The state after these entries, in the order of their times."""
    return _annotation(key, [(one.field, one.name, one.value, one.reason) for one in entries])


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
