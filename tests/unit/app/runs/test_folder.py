"""Runs are found only inside the folder, and their state is determined without disturbing them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from app.runs.folder import MAX_DEPTH, RunsFolder
from orz_bench.errors import RunDirError
from tests.support.runs import a_run

LONG_AGO = (1.7e9, 1.7e9)


def _aged(folder: Path) -> Path:
    for path in sorted(folder.rglob("*")):
        os.utime(path, LONG_AGO)
    return folder


def _states(folder: Path) -> dict[str, str]:
    return {entry.name: entry.state for entry in RunsFolder.at(folder).runs()}


def test_states(tmp_path: Path) -> None:
    a_run(tmp_path / "finished", num_steps=1)
    a_run(tmp_path / "failed", num_steps=1).mark("FAILED")
    a_run(tmp_path / "running", num_steps=1).mark("")
    a_run(tmp_path / "crashed", num_steps=1).mark("")
    _aged(tmp_path / "crashed")
    assert _states(tmp_path) == {"finished": "finished", "failed": "failed", "running": "running", "crashed": "crashed"}


@pytest.mark.parametrize("lock", [".lock", "evals/arithmetic/step=000001/0123456789ab/.lock"])
def test_a_locked_run_is_running_however_long_it_is_silent(tmp_path: Path, lock: str) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.mark("")
    (run.path / lock).touch()
    _aged(run.path)
    assert _states(tmp_path) == {"x": "crashed"}
    with (run.path / lock).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert _states(tmp_path) == {"x": "running"}
    assert _states(tmp_path) == {"x": "crashed"}


def test_runs_are_named_by_their_path_and_the_last_written_comes_first(tmp_path: Path) -> None:
    a_run(tmp_path / "sweep" / "b", num_steps=1)
    a_run(tmp_path / "a", num_steps=1)
    os.utime(tmp_path / "sweep" / "b" / "DONE", (4e9, 4e9))
    assert [entry.name for entry in RunsFolder.at(tmp_path).runs()] == ["sweep/b", "a"]


def test_hidden_and_deep_folders_are_not_looked_into(tmp_path: Path) -> None:
    a_run(tmp_path / ".hidden", num_steps=1)
    deepest = tmp_path.joinpath(*"abc"[: MAX_DEPTH - 1])
    a_run(deepest / "run", num_steps=1)
    a_run(deepest / "no" / "run", num_steps=1)
    assert list(_states(tmp_path)) == ["a/b/run"]


def test_a_folder_that_is_a_run_holds_just_itself(tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=1)
    a_run(tmp_path / "y", num_steps=1)
    folder = RunsFolder.at(tmp_path / "x")
    assert [(entry.name, entry.path) for entry in folder.runs()] == [("x", tmp_path / "x")]
    with pytest.raises(RunDirError, match="no run 'y'"):
        folder.find("y")


@pytest.mark.parametrize(
    "name", ["../secret", "inside/../../secret", "..", ".", "", "/", "inside/rollouts", "inside\0", "INSIDE", "lnk/run"]
)
def test_no_name_leads_outside(tmp_path: Path, name: str) -> None:
    a_run(tmp_path / "secret", num_steps=1)
    runs = tmp_path / "runs"
    a_run(runs / "inside", num_steps=1)
    (tmp_path / "elsewhere").mkdir()
    a_run(tmp_path / "elsewhere" / "run", num_steps=1)
    (runs / "lnk").symlink_to(tmp_path / "elsewhere")
    folder = RunsFolder.at(runs)
    with pytest.raises(RunDirError, match="choose one from the list"):
        folder.find(name)
    with pytest.raises(RunDirError):
        folder.find(str(tmp_path / "secret"))


def test_a_link_to_a_run_is_a_run_and_no_other_link_is_followed(tmp_path: Path) -> None:
    a_run(tmp_path / "elsewhere" / "run", num_steps=1)
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "linked").symlink_to(tmp_path / "elsewhere" / "run")
    (runs / "all").symlink_to(tmp_path / "elsewhere")
    (runs / "loop").symlink_to(runs)
    assert list(_states(runs)) == ["linked"]
    assert RunsFolder.at(runs).find("linked").path == runs / "linked"


def test_a_missing_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="--runs DIR"):
        RunsFolder.at(tmp_path / "none")


def test_an_unknown_name_names_the_nearest(tmp_path: Path) -> None:
    a_run(tmp_path / "tiny-seed7", num_steps=1)
    with pytest.raises(RunDirError, match="did you mean 'tiny-seed7'"):
        RunsFolder.at(tmp_path).find("tiny-seed")


def test_a_folder_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirError, match="no such folder"):
        RunsFolder.at(tmp_path / ("x" * 300))
