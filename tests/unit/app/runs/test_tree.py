"""The tree of runs, and the control in the name of a run."""

from __future__ import annotations

import json
from pathlib import Path

from app.runs.folder import RunsFolder
from app.runs.tree import tree_of
from orz_bench.records.origin import Source
from tests.support.runs import a_run


def made(folder: Path, name: str, *, parent: Source | None = None, replays: Source | None = None) -> Source:
    """A run whose id is its name; returns itself as a source."""
    run = a_run(folder / name, num_steps=1)
    facts = {"run_id": name} | ({"parent": parent.to_json()} if parent else {})
    info = run.info() | facts | ({"replays": replays.to_json()} if replays else {})
    run.run_path.write_text(json.dumps(info), encoding="utf-8")
    return Source(run=str(run.path), run_id=name)


def at(source: Source, step: int, **changed: tuple[object, object]) -> Source:
    return Source(run=source.run, run_id=source.run_id, step=step, changed=changed)


def lines(folder: Path) -> list[str]:
    return [f"{line.branch}{line.name}" for line in tree_of(RunsFolder.at(folder).runs())]


def test_runs_stand_under_the_run_that_they_were_made_from(tmp_path: Path) -> None:
    root = made(tmp_path, "root")
    late = made(tmp_path, "late", parent=at(root, 20))
    made(tmp_path, "early", parent=at(root, 10))
    made(tmp_path, "deeper", parent=at(late, 30))
    made(tmp_path, "again", replays=root)
    made(tmp_path, "alone")
    assert lines(tmp_path) == [
        "root", "├─ again (replays root)", "├─ early", "└─ late", "   └─ deeper",
    ]  # fmt: skip
    told = {line.name: line.told for line in tree_of(RunsFolder.at(tmp_path).runs())}
    assert told["early"] == "branched from root at step 10, nothing changed"


def test_a_parent_is_known_by_its_identity_and_one_that_is_gone_is_named(tmp_path: Path) -> None:
    root = made(tmp_path, "root")
    made(tmp_path, "branch", parent=at(root, 10))
    (tmp_path / "root").rename(tmp_path / "renamed")
    assert lines(tmp_path) == ["renamed", "└─ branch"]
    made(tmp_path, "orphan", parent=Source(run="/gone/x", run_id="x", step=3))
    assert lines(tmp_path) == ["renamed", "└─ branch", "x", "└─ orphan"]


def test_without_branches_there_is_no_tree_and_a_circle_ends(tmp_path: Path) -> None:
    one = made(tmp_path, "one")
    assert lines(tmp_path) == []
    two = made(tmp_path, "two", parent=at(one, 1))
    info = json.loads((tmp_path / "one" / "run.json").read_text())
    (tmp_path / "one" / "run.json").write_text(json.dumps(info | {"parent": at(two, 1).to_json()}))
    assert len(lines(tmp_path)) <= 2


def test_a_control_is_part_of_the_name_for_people_and_not_of_the_address(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1, changes={"reward.control": "random"})
    (entry,) = RunsFolder.at(tmp_path).runs()
    assert (entry.name, entry.title) == ("x", "x (reward: random)")
    text = run.config_path.read_text(encoding="utf-8").replace("control: random", "control: none")
    run.config_path.write_text(text + "\n", encoding="utf-8")
    (entry,) = RunsFolder.at(tmp_path).runs()
    assert entry.title == "x"
