"""Saved views come back as they were; a newer, damaged or taken one is said, and nothing is misread or replaced."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from app.judging.saved_views import FOLDER, SavedView, delete_view, save_view, saved_views
from orz_bench.errors import DataError, RecordError

KNOWN = ("verdicts", "column", "group")


def _view(name: str = "mine", page: str = "rollouts", **parameters: list[str]) -> SavedView:
    return SavedView(name=name, page=page, parameters=parameters, author="ada")


@pytest.mark.parametrize("name", ["mine", "../../etc/passwd", "<b>", "x" * 80, "ä/\\\x00", "  two   words "])
def test_a_view_comes_back(tmp_path: Path, name: str) -> None:
    save_view(tmp_path, _view(name, verdicts=["wrong", "<b>"], group=["step"]))
    found = saved_views(tmp_path, page="rollouts", known=KNOWN)
    (view,) = found.views.values()
    assert not found.faults
    assert (view.name, view.author) == (" ".join(name.split()), "ada")
    assert view.parameters == {"verdicts": ["wrong", "<b>"], "group": ["step"]}
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / FOLDER]
    assert not saved_views(tmp_path, page="suspicious", known=KNOWN).views
    delete_view(tmp_path, view)
    delete_view(tmp_path, view)
    assert not saved_views(tmp_path, page="rollouts", known=KNOWN).views


def test_a_taken_name_is_not_written_over_unasked(tmp_path: Path) -> None:
    save_view(tmp_path, _view(group=["step"]))
    with pytest.raises(RecordError, match="exists already"):
        save_view(tmp_path, _view(group=["problem"]))
    save_view(tmp_path, _view(page="suspicious"))
    assert saved_views(tmp_path, page="rollouts", known=KNOWN).views["mine"].parameters == {"group": ["step"]}
    save_view(tmp_path, _view(group=["problem"]), replaces=True)
    assert saved_views(tmp_path, page="rollouts", known=KNOWN).views["mine"].parameters == {"group": ["problem"]}
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.parametrize("name", ["", "  ", "x" * 81])
def test_a_view_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordError, match="wanted 1 to 80"):
        save_view(tmp_path, _view(name))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"orz_view": 2, "name": "new"}, "view 'new' was saved by a newer version"),
        ({"orz_view": 2, "parameters": {"verdicts": {"not": "wrong"}}}, "newer version"),
        ({"orz_view": "1"}, "not a saved view"), ({"orz_view": True}, "not a saved view"),
        ({"orz_view": None}, "not a saved view"), ({"name": 3}, "no text"),
        ({"parameters": {"group": "step"}}, "no text"), ({"parameters": {"group": ["x" * 501]}}, "no text"),
        ({"parameters": {"later": ["1"]}}, "is no parameter of this"),
    ],
)  # fmt: skip
def test_a_view_that_cannot_be_read_as_it_is_meant_is_said(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    save_view(tmp_path, _view(group=["step"]))
    save_view(tmp_path, _view("other"))
    path = next(path for path in tmp_path.rglob("*.json") if '"mine"' in path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")
    found = saved_views(tmp_path, page="rollouts", known=KNOWN)
    assert list(found.views) == ["other"]
    assert len(found.faults) == 1
    assert said in found.faults[0]
    if changes.get("orz_view") == 2:
        with pytest.raises(DataError, match="newer version"):
            save_view(tmp_path, _view(), replaces=True)


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, "\xff"])
def test_a_damaged_file_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "x.json").write_bytes(text.encode("latin-1"))
    found = saved_views(tmp_path, page="rollouts", known=KNOWN)
    assert not found.views
    assert "x.json: not a saved view" in found.faults[0]


def test_of_several_at_once_one_gets_the_name(tmp_path: Path) -> None:
    refused: list[str] = []

    def save(number: int) -> None:
        try:
            save_view(tmp_path, _view(group=[str(number)]))
        except RecordError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=save, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert len(saved_views(tmp_path, page="rollouts", known=KNOWN).views) == 1
