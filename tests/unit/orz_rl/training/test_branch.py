"""The start of a branch is a copy: whole or absent, and its parent may go afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.origin import Source
from orz_bench.records.run_dir import RunDir
from orz_rl.training.branch import runs_with_answers, start_from_parent
from orz_rl.training.checkpoint import Checkpoints
from tests.support.parents import a_parent


class Ears:
    """Hears what is said."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def notice(self, text: str) -> None:
        self.heard.append(text)

    def warn(self, text: str) -> None:
        self.heard.append(text)

    def sampled(self, rollouts: Any) -> None: ...

    def stepped(self, row: Any, num_steps: int) -> None: ...


@pytest.fixture
def parent(tmp_path: Path) -> RunDir:
    return a_parent(tmp_path / "parent")


def opened(parent: RunDir, *, step: int = 2) -> RunDir:
    """A new run that has only its run.json."""
    run = RunDir(parent.path.parent / "new")
    source = Source(run=str(parent.path), run_id="parent", step=step)
    run.create(kind="train", command=["x"], seed=1, environment={"run_id": "new", "parent": source.to_json()})
    return run


def start(run: RunDir, **lineage: Any) -> list[str]:
    ears = Ears()
    start_from_parent(run, lineage=lineage, answers=None, observer=ears)
    return ears.heard


def test_the_checkpoint_and_the_metrics_up_to_it_are_copied(parent: RunDir) -> None:
    run = opened(parent)
    assert "starting from step 2" in start(run)[0]
    (manifest,) = Checkpoints(run).complete()
    assert manifest == Checkpoints(parent).find(2)
    for name in ("policy", "critic", "state/policy", "state/critic"):
        Checkpoints(run).check_files(manifest, name)
    assert [row["step"] for row in run.metrics()[0]] == [1, 2]
    assert [event["event"] for event in run.events()] == ["branched"]
    shutil.rmtree(parent.path)
    assert start(run) == []


def test_files_of_the_parent_that_change_later_do_not_reach_the_branch(parent: RunDir) -> None:
    run = opened(parent)
    start(run)
    (Checkpoints(parent).path(2) / "state" / "policy" / "state.pt").write_bytes(b"")
    (manifest,) = Checkpoints(run).complete()
    Checkpoints(run).check_files(manifest, "state/policy")


@pytest.mark.parametrize("name", ["state/policy/state.pt", "critic/model.safetensors"])
def test_a_damaged_checkpoint_is_not_started_from(parent: RunDir, name: str) -> None:
    run = opened(parent)
    (Checkpoints(parent).path(2) / name).write_bytes(b"shorter")
    with pytest.raises(RunDirError, match=rf"{parent.path}/checkpoints/step=000002.*branch from another step \(4\)"):
        start(run)
    assert Checkpoints(run).complete() == []
    assert not Checkpoints(run).path(2).exists()


def test_a_missing_file_is_found_too(parent: RunDir) -> None:
    run = opened(parent)
    shutil.rmtree(Checkpoints(parent).path(2) / "state")
    with pytest.raises(RunDirError, match="missing or empty"):
        start(run)


def test_a_killed_copy_is_made_again(parent: RunDir) -> None:
    run = opened(parent)
    half = Checkpoints(run).path(2) / "policy"
    half.mkdir(parents=True)
    (half / "left.over").write_text("x")
    start(run)
    assert not (half / "left.over").exists()
    assert len(Checkpoints(run).complete()) == 1


def test_without_a_start_and_a_parent_nothing_is_trained_from_the_base(parent: RunDir) -> None:
    run = opened(parent)
    moved = parent.path.rename(parent.path.with_name("moved"))
    with pytest.raises(RunDirError, match=r"starts from step 2 of .*parent, which is not there .*any more.*Restore it"):
        start(run)
    start(run, parent=Source(run=str(moved), run_id="parent", step=2).to_json())
    assert len(Checkpoints(run).complete()) == 1


def test_a_run_without_a_parent_is_left_alone(tmp_path: Path) -> None:
    run = a_parent(tmp_path / "run", steps=())
    assert start(run) == []
    assert not (run.path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changed", "fresh", "names"),
    [
        ({}, False, ["new", "parent"]),
        ({"optim.policy_lr": [1e-4, 1e-3]}, True, ["parent"]),
        ({"seed": [1, 2]}, False, ["new"]),
        ({"rollout.max_tokens": [8, 4]}, True, []),
    ],
)
def test_a_branch_learns_the_stored_answers_of_its_parent_where_the_choice_is_the_same(
    parent: RunDir, changed: dict[str, list[Any]], fresh: bool, names: list[str]
) -> None:
    source = {"run": str(parent.path), "run_id": "parent", "step": 2, "changed": changed}
    found = runs_with_answers(RunDir(parent.path.parent / "new"), lineage={"parent": source}, fresh=fresh)
    assert [path.name for path in found] == names
