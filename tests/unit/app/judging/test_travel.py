"""Judgements come back from every format of an export as they were, and histories unite in any order."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.judging.annotations import Annotations, Entry
from app.judging.side_folder import side_folder
from app.judging.travel import COLUMN, judgement_columns, judgements_in, take_in, told
from app.queries.export_reading import rows_in
from app.queries.exports import FORMATS, exported
from app.queries.filters import Filters
from app.queries.keys import Response, RowKey, hash_text
from app.queries.rollout_export import selected_rows
from app.queries.selection import select
from app.runs.folder import RunsFolder
from orz_bench.errors import DataError
from tests.support.app_runs import open_index
from tests.support.runs import a_run

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(lambda text: text.strip())


def _kept(folder: Path, *, author: str) -> Annotations:
    return Annotations.of_run_at(folder / "run", name="run", side=side_folder(folder), author=author)


def _responses(folder: Path, num: int) -> list[Response]:
    rows = (
        open_index(folder / "run")
        .cursor()
        .execute(
            "SELECT benchmark, step, fingerprint, problem_id, sample_index, text_hash FROM rollouts "
            "ORDER BY id LIMIT ?",
            [num],
        )
        .fetchall()
    )
    return [Response(RowKey(*key), hash_text(found)) for *key, found in rows]


def _export(folder: Path, format_: str) -> bytes:
    index, kept = open_index(folder / "run"), _kept(folder, author="")
    entries = kept.entries()

    def judged(response: Response) -> dict[str, Any]:
        return judgement_columns(kept.run, [(response, entry) for entry in entries.get(response, ())])

    run = {"run": "run", "run_id": kept.run.id, "run_seed": 42}
    return exported(selected_rows(index, select(index, Filters()), run=run, judged=judged), format_)


def _import(folder: Path, data: bytes, format_: str, *, author: str = "eve") -> list[str]:
    found = judgements_in(rows_in(data, name=f"rollouts.{FORMATS[format_].suffix}"))
    return told(take_in(found, runs=RunsFolder.at(folder).runs(), side=side_folder(folder), author=author))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    a_run(tmp_path / "here" / "run", num_steps=1)
    return tmp_path / "here"


@pytest.fixture
def there(here: Path) -> Path:
    """A colleague's copy, without judgements."""
    return Path(shutil.copytree(here, here.with_name("there")))


@pytest.mark.parametrize("format_", [name for name, one in FORMATS.items() if one.comes_back])
def test_judgements_come_back(here: Path, there: Path, format_: str) -> None:
    ada, bob = _kept(here, author="ada"), _kept(here, author="bob")
    first, second, third = _responses(here, 3)
    ada.add_tag(first, tag="bad gold")
    ada.write_note(first, note="=1+1\n  `` ```\n# heading\n```\n- note: x")
    bob.override_verdict(first, verdict="correct", reason="-1/2 is  the same")
    bob.mark_seen(second)
    ada.add_tag(third, tag="x")
    ada.remove_tag(third, tag="x")
    data = _export(here, format_)
    rows = list(rows_in(data, name=f"x.{FORMATS[format_].suffix}"))
    assert len(rows) == 16 + 80
    (row,) = (row for row in rows if row.get("override"))
    assert (row["run"], str(row["run_seed"]), row["override"], row["author"]) == ("run", "42", "correct", "bob")
    assert {"seed", "subject", "tags", "note", "reason", "time"} <= set(row) | {"seed", "subject"}
    assert _import(there, data, format_) == ["6 judgements taken in; 0 known already."]
    theirs = _kept(there, author="")
    assert theirs.of_run() == ada.of_run()
    assert [(e.author, e.time, e.imported_by) for e in theirs.history(first)] == [
        (e.author, e.time, "eve") for e in ada.history(first)
    ]
    assert _import(there, data, format_) == ["0 judgements taken in; 6 known already."]
    assert list(rows_in(_export(there, format_), name=f"x.{FORMATS[format_].suffix}")) == rows


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=st.lists(st.tuples(st.booleans(), st.integers(0, 2), TEXTS), max_size=12))
def test_histories_unite_in_any_order(here: Path, said: list[tuple[bool, int, str]]) -> None:
    """Two people judge apart, and exchange: both then see the same, and nothing of either is lost."""
    there = here.with_name("there")
    shutil.rmtree(there, ignore_errors=True)
    shutil.rmtree(side_folder(here), ignore_errors=True)
    shutil.copytree(here, there)
    at = _responses(here, 3)
    for is_here, number, text in said:
        _kept(here if is_here else there, author="ada" if is_here else "bob").write_note(at[number], note=text)
    ours, theirs = _export(here, "jsonl"), _export(there, "jsonl")
    _import(here, theirs, "jsonl")
    _import(there, ours, "jsonl")
    assert _kept(here, author="").of_run() == _kept(there, author="").of_run()
    for response in at:
        history = [(e.author, e.value) for e in _kept(here, author="").history(response)]
        assert sorted(history) == sorted(
            ("ada" if is_here else "bob", text.strip()) for is_here, number, text in said if at[number] == response
        )


def test_an_older_note_does_not_replace_a_newer_one(here: Path, there: Path) -> None:
    (response,) = _responses(here, 1)
    _kept(here, author="ada").write_note(response, note="first")
    data = _export(here, "csv")
    _kept(there, author="bob").write_note(response, note="second")
    assert "is newer here and still holds" in _import(there, data, "csv")[1]
    assert _kept(there, author="").of(response).note == "second"
    assert "now holds what the file says" in _import(here, _export(there, "csv"), "csv")[1]
    assert _kept(here, author="").of(response).note == "second"


def test_judgements_of_another_run_are_not_taken_in(here: Path, tmp_path: Path) -> None:
    (response,) = _responses(here, 1)
    _kept(here, author="ada").add_tag(response, tag="x")
    a_run(tmp_path / "other" / "run", num_steps=1, seed=7)
    said = _import(tmp_path / "other", _export(here, "md"), "md")
    assert said[1] == "1 of the run run, which is not in this folder: not taken in."
    assert _kept(tmp_path / "other", author="").of_run() == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"field": "drop table"}, {"field": "verdict", "value": "right", "reason": "x"},
        {"time": "2999-01-01T00:00:00+00:00"},
        {"time": "2026-01-01T00:00:00"}, {"time": "soon"}, {"row": "x"}, {"row": 3}, {"text": "z" * 16}, {"run": ""},
        {"value": "x" * 10_001}, {"author": None}, {"name": ""}, {"field": "verdict", "name": "", "value": "wrong"},
    ],
)  # fmt: skip
def test_an_invalid_judgement_is_refused_with_its_file(here: Path, changes: dict[str, Any]) -> None:
    (response,) = _responses(here, 1)
    _kept(here, author="ada").add_tag(response, tag="x")
    row = next(row for row in rows_in(_export(here, "jsonl"), name="a.jsonl") if row[COLUMN])
    bad = json.dumps({COLUMN: [row[COLUMN][0], row[COLUMN][0] | changes]}).encode()
    with pytest.raises(DataError, match="row 1: judgements cannot be read"):
        judgements_in(rows_in(bad, name="a.jsonl"))


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "a.csv"), (b"a,b\r\n1,2\r\n", "a.csv"), (b"{", "a.jsonl"), (b"[1]", "a.jsonl"), (b"\xff", "a.md"),
        (b"x", "a.exe"), (b"## 1\n\n**judgements**\n\n```text\n[", "a.md"), (b"[" * 100_000, "a.jsonl"),
        (b"judgements\r\n{}\r\n", "a.csv"),
    ],
)  # fmt: skip
def test_other_files_are_refused(data: bytes, name: str) -> None:
    with pytest.raises(DataError):
        judgements_in(rows_in(data, name=name))


def test_a_judgement_of_now_holds_whatever_an_imported_clock_said(here: Path) -> None:
    (response,) = _responses(here, 1)
    ada = _kept(here, author="ada")
    ada.write_note(response, note="first")
    (entry,) = ada.history(response)
    ahead = Entry(
        time="2999-01-01T00:00:00.000+00:00", author="x", key=entry.key, field="note", name="", value="y", reason=None
    )
    ada.unite([(response, ahead)])
    ada.write_note(response, note="last")
    assert ada.of(response).note == "last"
