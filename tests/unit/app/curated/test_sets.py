"""Where curated sets are found, under which names, and in which state."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.curated.sets import SetFolders, find
from orz_bench.errors import DataError
from orz_bench.records.curated import CARD, FATES, PLAN, WORK
from orz_bench.records.locks import locked


def _begun(folder: Path) -> Path:
    (folder / WORK).mkdir(parents=True)
    (folder / WORK / PLAN).write_text("{}")
    for path in (folder / WORK / PLAN, folder / WORK, folder):
        os.utime(path, (1.7e9, 1.7e9))
    return folder


def _states(folders: SetFolders) -> dict[str, str]:
    return {entry.name: entry.state for entry in folders.sets()}


def test_sets_are_found_in_both_folders_under_names_that_do_not_depend_on_where_they_are(
    mix: Path, tmp_path: Path
) -> None:
    runs, data = tmp_path / "anywhere", tmp_path / "else"
    shutil.copytree(mix, runs / "sweep" / "mix")
    shutil.copytree(mix, data / "mix")
    (data / "mix" / "pass_rate").mkdir()
    (runs / "run").mkdir()
    (runs / "run" / "run.json").write_text("{}")
    (data / ".hidden").mkdir()
    (data / ".hidden" / CARD).write_text("{}")
    (data / "link").symlink_to(mix)
    deep = data / "a" / "b" / "c" / "d"
    shutil.copytree(mix, deep)
    assert _states(SetFolders.of(runs, data)) == {"runs/sweep/mix": "complete", "data/mix": "complete"}


def test_the_default_folder_of_data_is_the_one_beside_the_runs(mix: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    shutil.copytree(mix, tmp_path / "data" / "mix")
    assert _states(SetFolders.of(tmp_path / "runs", None)) == {"data/mix": "complete"}


def test_a_folder_that_is_a_set_or_in_both_is_there_once(mix: Path, tmp_path: Path) -> None:
    assert _states(SetFolders.of(tmp_path, mix)) == {"data": "complete"}
    shutil.copytree(mix, tmp_path / "data" / "mix")
    assert _states(SetFolders.of(tmp_path, tmp_path / "data")) == {"runs/data/mix": "complete"}


def test_the_state_of_an_unfinished_set(tmp_path: Path) -> None:
    _begun(tmp_path / "killed")
    _begun(tmp_path / "running")
    _begun(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / ".lock").write_text("process 1 on another-machine, since 2026-01-01")
    os.utime(tmp_path / "elsewhere" / WORK / PLAN)
    with locked(tmp_path / "killed"):
        pass
    os.utime(tmp_path / "killed" / WORK / PLAN)
    with locked(tmp_path / "running") as is_owner:
        assert is_owner
        found = _states(SetFolders({"runs": tmp_path}))
    assert found == {"runs/killed": "stopped", "runs/running": "being written", "runs/elsewhere": "being written"}


def test_fates_without_a_card_are_a_set_that_was_stopped(mix: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    shutil.copy(mix / FATES, tmp_path / "half" / FATES)
    os.utime(tmp_path / "half" / FATES, (1.7e9, 1.7e9))
    assert _states(SetFolders({"runs": tmp_path})) == {"runs/half": "stopped"}


def test_other_names_are_refused(mix: Path, tmp_path: Path) -> None:
    entries = SetFolders.of(tmp_path, mix.parent).sets()
    assert find("data/mix", entries).path == mix
    for name in ("data/mux", "../mix", "data/../data/mix", str(mix), ""):
        with pytest.raises(DataError, match="no curated set"):
            find(name, entries)
    with pytest.raises(DataError, match=r"no such folder; .*--data DIR"):
        SetFolders.of(tmp_path, tmp_path / "none")


def test_a_stamp_changes_with_a_file(mix: Path, tmp_path: Path) -> None:
    shutil.copytree(mix, tmp_path / "mix")
    (entry,) = SetFolders({"runs": tmp_path}).sets()
    before = entry.stamp
    assert before == entry.stamp
    (tmp_path / "mix" / FATES).unlink()
    assert before != entry.stamp
