from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from app.annotations import MAX_NOTE_CHARS, Annotation, Annotations
from app.queries.keys import RowKey
from orz_bench.errors import DataError, RecordError

KEY = RowKey("math500", 20, "0123456789ab", "p'; drop table history; --", 3)


@pytest.fixture
def kept(tmp_path: Path) -> Annotations:
    return Annotations(tmp_path / "annotations.sqlite", author="ada")


def test_nothing_is_noted_at_first(kept: Annotations) -> None:
    assert kept.of("run", KEY) == Annotation(key=KEY)
    assert kept.of_run("run") == {}
    assert kept.version("run") == 0


def test_what_was_noted_last_holds(kept: Annotations) -> None:
    kept.mark_seen("run", KEY)
    kept.add_tag("run", KEY, tag=" grader  bug ")
    kept.add_tag("run", KEY, tag="lucky")
    kept.remove_tag("run", KEY, tag="lucky")
    kept.write_note("run", KEY, note="first")
    kept.write_note("run", KEY, note="second")
    kept.override_verdict("run", KEY, verdict="correct", reason="an equal fraction")
    assert kept.of("run", KEY) == Annotation(
        key=KEY, is_seen=True, tags=("grader bug",), note="second", verdict="correct", reason="an equal fraction"
    )
    assert kept.of_run("run") == {KEY: kept.of("run", KEY)}
    assert kept.of_run("other run") == {}


def test_everything_can_be_taken_back_and_the_history_keeps_it(kept: Annotations) -> None:
    kept.mark_seen("run", KEY)
    kept.override_verdict("run", KEY, verdict="wrong", reason="a guess")
    kept.write_note("run", KEY, note="x")
    kept.mark_seen("run", KEY, is_seen=False)
    kept.override_verdict("run", KEY, verdict=None, reason="it was none")
    kept.write_note("run", KEY, note=" ")
    assert kept.of("run", KEY) == Annotation(key=KEY)
    told = [(entry.author, entry.field, entry.value, entry.reason) for entry in kept.history("run", KEY)]
    assert told == [
        ("ada", "note", None, None),
        ("ada", "verdict", None, "it was none"),
        ("ada", "seen", None, None),
        ("ada", "note", "x", None),
        ("ada", "verdict", "wrong", "a guess"),
        ("ada", "seen", "yes", None),
    ]
    assert kept.version("run") == 6
    assert len(kept.history("run", limit=2)) == 2


def test_the_history_is_only_added_to(kept: Annotations) -> None:
    kept.mark_seen("run", KEY)
    with sqlite3.connect(kept.path) as database:
        for statement in ("DELETE FROM history", "UPDATE history SET value = 'no'"):
            with pytest.raises(sqlite3.IntegrityError, match="only added to"):
                database.execute(statement)
    database.close()


def test_several_writers_at_once(kept: Annotations) -> None:
    """Four tabs that begin with an empty folder."""
    faults: list[BaseException] = []

    def write(author: int) -> None:
        own = Annotations(kept.path, author=f"author {author}")
        try:
            for step in range(25):
                own.add_tag("run", RowKey("b", step, "", "p", 0), tag=f"by {author}")
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=write, args=(author,)) for author in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults
    assert len(kept.history("run", limit=1000)) == 100
    assert {found.tags for found in kept.of_run("run").values()} == {tuple(f"by {author}" for author in range(4))}


def test_what_makes_no_sense_is_refused(kept: Annotations) -> None:
    with pytest.raises(RecordError, match="needs a reason"):
        kept.override_verdict("run", KEY, verdict="correct", reason="  ")
    with pytest.raises(RecordError, match="no verdict 'right'"):
        kept.override_verdict("run", KEY, verdict="right", reason="x")
    with pytest.raises(RecordError, match="a tag of 0 characters"):
        kept.add_tag("run", KEY, tag="\n")
    with pytest.raises(RecordError, match="shorten it"):
        kept.write_note("run", KEY, note="x" * (MAX_NOTE_CHARS + 1))
    assert kept.version("run") == 0


def test_a_file_that_is_none_is_told(kept: Annotations) -> None:
    kept.path.write_text("this is no database, it only looks like one" * 50, encoding="utf-8")
    with pytest.raises(DataError, match="move it away"):
        kept.of_run("run")


def test_a_file_of_a_newer_version_is_told(kept: Annotations) -> None:
    with sqlite3.connect(kept.path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(DataError, match="schema 99"):
        kept.mark_seen("run", KEY)
