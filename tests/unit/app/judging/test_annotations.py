from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from app.judging.annotations import MAX_NOTE_CHARS, Annotation, Annotations, RunIdentity
from app.queries.keys import Response, RowKey
from orz_bench.errors import DataError, RecordError
from tests.support.runs import a_run

KEY = RowKey("math500", 20, "0123456789ab", "p'; drop table history; --", 3)
OURS = Response(KEY, "00000000000000aa")
RUN = RunIdentity("run", "a1", "2020-01-01T00:00:00+00:00")


@pytest.fixture
def kept(tmp_path: Path) -> Annotations:
    return Annotations(tmp_path / "annotations.sqlite", RUN, author="ada")


def test_nothing_is_noted_at_first(kept: Annotations) -> None:
    assert kept.of(OURS) == Annotation(key=KEY)
    assert kept.of_run() == {}
    assert kept.version() == 0


def test_what_was_noted_last_holds(kept: Annotations) -> None:
    kept.mark_seen(OURS)
    kept.add_tag(OURS, tag=" grader  bug ")
    kept.add_tag(OURS, tag="lucky")
    kept.remove_tag(OURS, tag="lucky")
    kept.write_note(OURS, note="first")
    kept.write_note(OURS, note="second")
    kept.override_verdict(OURS, verdict="correct", reason="an equal fraction")
    assert kept.of(OURS) == Annotation(
        key=KEY, is_seen=True, tags=("grader bug",), note="second", verdict="correct", reason="an equal fraction"
    )
    assert kept.of_run() == {OURS: kept.of(OURS)}
    assert Annotations(kept.path, RunIdentity("other run", "b2")).of_run() == {}


def test_everything_can_be_taken_back_and_the_history_keeps_it(kept: Annotations) -> None:
    kept.mark_seen(OURS)
    kept.override_verdict(OURS, verdict="wrong", reason="a guess")
    kept.write_note(OURS, note="x")
    kept.mark_seen(OURS, is_seen=False)
    kept.override_verdict(OURS, verdict=None, reason="it was none")
    kept.write_note(OURS, note=" ")
    assert kept.of(OURS) == Annotation(key=KEY)
    history = [(entry.author, entry.field, entry.value, entry.reason) for entry in kept.history(OURS)]
    assert history == [
        ("ada", "note", None, None),
        ("ada", "verdict", None, "it was none"),
        ("ada", "seen", None, None),
        ("ada", "note", "x", None),
        ("ada", "verdict", "wrong", "a guess"),
        ("ada", "seen", "yes", None),
    ]
    assert kept.version() == 6
    assert len(kept.history(OURS, limit=2)) == 2


def test_the_history_is_only_added_to(kept: Annotations) -> None:
    kept.mark_seen(OURS)
    with sqlite3.connect(kept.path) as database:
        for statement in ("DELETE FROM history", "UPDATE history SET value = 'no'"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                database.execute(statement)
    database.close()


def test_several_writers_at_once(kept: Annotations) -> None:
    """Four tabs that begin with an empty folder."""
    faults: list[BaseException] = []

    def write(author: int) -> None:
        own = Annotations(kept.path, RUN, author=f"author {author}")
        try:
            for step in range(25):
                own.add_tag(Response(RowKey("b", step, "", "p", 0), "aa"), tag=f"by {author}")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(author,)) for author in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert kept.version() == 100
    assert {found.tags for found in kept.of_run().values()} == {tuple(f"by {author}" for author in range(4))}


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_writer_waits_for_the_one_that_makes_the_file(kept: Annotations, mode: str) -> None:
    """The other one has begun to write and the file holds no schema yet; earlier versions made it with a WAL."""
    with contextlib.closing(sqlite3.connect(kept.path, check_same_thread=False, isolation_level=None)) as other:
        other.execute(f"PRAGMA journal_mode = {mode}")
        other.execute("BEGIN IMMEDIATE")
        ends = threading.Timer(0.2, other.execute, ["COMMIT"])
        ends.start()
        kept.add_tag(OURS, tag="waited")
        ends.join()
    assert kept.of(OURS).tags == ("waited",)


def test_invalid_annotations_are_refused(kept: Annotations) -> None:
    with pytest.raises(RecordError, match="needs a reason"):
        kept.override_verdict(OURS, verdict="correct", reason="  ")
    with pytest.raises(RecordError, match="unknown verdict 'right'"):
        kept.override_verdict(OURS, verdict="right", reason="x")
    with pytest.raises(RecordError, match="the tag has 0 characters"):
        kept.add_tag(OURS, tag="\n")
    with pytest.raises(RecordError, match="shorten it"):
        kept.write_note(OURS, note="x" * (MAX_NOTE_CHARS + 1))
    assert kept.version() == 0


def test_a_file_that_is_not_a_database_is_reported(kept: Annotations) -> None:
    kept.path.write_text("this is no database, it only looks like one" * 50, encoding="utf-8")
    with pytest.raises(DataError, match="move it away"):
        kept.of_run()


def test_a_file_of_a_newer_version_is_reported(kept: Annotations) -> None:
    with sqlite3.connect(kept.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DataError, match="schema 99"):
        kept.mark_seen(OURS)


def test_a_new_name_loses_nothing(kept: Annotations) -> None:
    kept.add_tag(OURS, tag="lucky")
    renamed = Annotations(kept.path, RunIdentity("another name", "a1", RUN.created))
    assert renamed.of(OURS).tags == ("lucky",)
    assert renamed.of_run() == {OURS: renamed.of(OURS)}
    renamed.remove_tag(OURS, tag="lucky")
    assert kept.of_run() == {}


def test_another_run_of_the_name_inherits_nothing(kept: Annotations) -> None:
    kept.override_verdict(OURS, verdict="correct", reason="an equal fraction")
    new = Annotations(kept.path, RunIdentity("run", "b2", "2030-01-01T00:00:00+00:00"))
    assert new.of(OURS) == Annotation(key=KEY)
    assert new.of_run() == {}
    assert [(entry.value, entry.is_of_another) for entry in new.history(OURS)] == [("correct", True)]


def test_another_text_under_the_key_inherits_nothing(kept: Annotations) -> None:
    kept.mark_seen(OURS)
    kept.write_note(OURS, note="first")
    redrawn = Response(KEY, "00000000000000bb")
    assert kept.of(redrawn) == Annotation(key=KEY)
    kept.write_note(redrawn, note="second")
    assert kept.of_run() == {
        OURS: Annotation(key=KEY, is_seen=True, note="first"),
        redrawn: Annotation(key=KEY, note="second"),
    }
    assert [(entry.value, entry.is_of_another) for entry in kept.history(redrawn)] == [
        ("second", False),
        ("first", True),
        ("yes", True),
    ]


_SCHEMA_1 = """
CREATE TABLE history (
  id INTEGER PRIMARY KEY, time TEXT NOT NULL, author TEXT NOT NULL, run TEXT NOT NULL,
  benchmark TEXT NOT NULL, step INTEGER NOT NULL, fingerprint TEXT NOT NULL, problem_id TEXT NOT NULL,
  sample_index INTEGER NOT NULL, field TEXT NOT NULL, name TEXT NOT NULL, value TEXT, reason TEXT
);
CREATE INDEX history_by_row ON history (run, benchmark);
CREATE VIEW current AS SELECT * FROM history;
CREATE TRIGGER history_is_not_changed BEFORE UPDATE ON history
  BEGIN SELECT raise(ABORT, 'history is only added to'); END;
PRAGMA user_version = 1;
"""


def test_entries_of_schema_1_apply_by_name_if_they_are_not_older_than_the_run(tmp_path: Path) -> None:
    path = tmp_path / "annotations.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(_SCHEMA_1)
        database.execute(
            "INSERT INTO history VALUES (1, '2026-05-01T00:00:00.000+00:00', 'ada', 'run', ?, ?, ?, ?, ?, 'tag', 'x', "
            "'yes', NULL)",
            [KEY.benchmark, KEY.step, KEY.fingerprint, KEY.problem_id, KEY.sample_index],
        )
    database.close()
    older = Annotations(path, RunIdentity("run", "a1", "2026-04-01T00:00:00+00:00"))
    newer = Annotations(path, RunIdentity("run", "b2", "2026-06-01T00:00:00+00:00"))
    assert older.of(OURS).tags == ("x",)
    assert older.of_run() == {Response(KEY, ""): Annotation(key=KEY, tags=("x",))}
    assert newer.of(OURS).tags == ()
    older.remove_tag(OURS, tag="x")
    assert older.of_run() == {}


def test_a_file_of_schema_2_gets_who_imported(kept: Annotations) -> None:
    kept.write_note(OURS, note="of before")
    with sqlite3.connect(kept.path) as database:
        database.execute("ALTER TABLE history DROP COLUMN imported_by")
        database.execute("PRAGMA user_version = 2")
    database.close()
    kept.add_tag(OURS, tag="x")
    assert (kept.of(OURS).note, kept.of(OURS).tags) == ("of before", ("x",))
    assert [entry.imported_by for entry in kept.history(OURS)] == ["", ""]


def test_two_at_once_replace_nothing(kept: Annotations) -> None:
    """Each says what was drawn for it; the same text, its continuation and an empty note are no conflict."""
    drawn = kept.of(OURS)
    assert not kept.write_note(OURS, note="a", over="")
    assert kept.write_note(OURS, note="b", over="")
    assert kept.of(OURS).note == "a\n\nb"
    assert not kept.write_note(OURS, note="a\n\nb", over="")
    assert not kept.write_note(OURS, note="a\n\nb and more", over="a")
    assert not kept.write_note(OURS, note="", over="a")
    kept.override_verdict(OURS, verdict="correct", reason="mine", over=drawn)
    with pytest.raises(RecordError, match="correct: mine"):
        kept.override_verdict(OURS, verdict="wrong", reason="theirs", over=drawn)


def test_a_run_is_known_by_its_beginning(tmp_path: Path) -> None:
    first = a_run(tmp_path / "a", num_steps=1).path
    identity = RunIdentity.of(first, name="a")
    moved = first.rename(tmp_path / "b")
    assert RunIdentity.of(moved, name="b").id == identity.id
    info = json.loads((moved / "run.json").read_text())
    (moved / "run.json").write_text(json.dumps(info | {"created": "2031-01-01T00:00:00+00:00"}))
    assert RunIdentity.of(moved, name="b").id != identity.id
