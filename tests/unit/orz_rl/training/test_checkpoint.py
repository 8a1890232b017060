"""Which checkpoints stay, and that one without a manifest counts as none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.training.checkpoint import Checkpoints, Manifest
from orz_rl.training.file_digests import records_of


def a_manifest(step: int, **changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "step": step,
        "policy_version": step,
        "cursor": 8 * step,
        "digest": f"run:{step}",
        "score": 0.5,
        "is_evaluated": True,
        "policy_ranks": 1,
        "critic_ranks": 1,
    }
    return Manifest(**facts | changes)


def checkpoints(run: Path, *manifests: Manifest) -> Checkpoints:
    found = Checkpoints(RunDir(run))
    for manifest in manifests:
        folder = found.path(manifest.step)
        (folder / "policy").mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(asdict(manifest)), encoding="utf-8")
    return found


def steps_of(found: Checkpoints) -> list[int]:
    return [manifest.step for manifest in found.complete()]


@pytest.mark.parametrize(
    ("keep_last", "keep_best", "stay"),
    [(1, 0, [50]), (2, 0, [40, 50]), (1, 1, [20, 50]), (2, 2, [20, 30, 40, 50]), (9, 0, [10, 20, 30, 40, 50])],
)
def test_the_last_and_the_best_stay(tmp_path: Path, keep_last: int, keep_best: int, stay: list[int]) -> None:
    scores = {10: 0.1, 20: 0.9, 30: 0.8, 40: 0.7, 50: 0.6}
    found = checkpoints(tmp_path, *(a_manifest(step, score=score) for step, score in scores.items()))
    gone = found.prune(keep_last=keep_last, keep_best=keep_best)
    assert steps_of(found) == stay
    assert sorted([*gone, *stay]) == list(scores)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == [f"step={step:06d}" for step in stay]


def test_an_evaluated_score_counts_before_a_reward(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, a_manifest(1, score=0.9, is_evaluated=False), a_manifest(2, score=0.3), a_manifest(3))
    found.prune(keep_last=1, keep_best=1)
    assert steps_of(found) == [3]


def test_a_half_written_checkpoint_is_none(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, a_manifest(1), a_manifest(2))
    (found.path(2) / "manifest.json").unlink()
    assert steps_of(found) == [1]
    with pytest.raises(RunDirError, match=r"no complete checkpoint of step 2; available steps: 1"):
        found.export(2, tmp_path / "out")
    found.delete_unfinished()
    assert not found.path(2).exists()
    assert found.path(1).exists()


def test_a_manifest_of_another_version_is_told(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, a_manifest(1, schema_version=99))
    with pytest.raises(RunDirError, match="schema version 99, wanted at most 2"):
        found.find(1)


def test_one_of_version_1_can_be_read(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, a_manifest(1, schema_version=1))
    path = found.path(1) / "manifest.json"
    facts = json.loads(path.read_text())
    del facts["files"]
    path.write_text(json.dumps(facts))
    assert found.find(1).files is None
    assert found.newest(notice=pytest.fail) == found.find(1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 2}', '{"schema_version": 2, "files": 3}'])
def test_a_broken_old_manifest_stops_nothing_and_a_broken_last_one_is_told(tmp_path: Path, text: str) -> None:
    found = checkpoints(tmp_path, a_manifest(1), a_manifest(2), a_manifest(3))
    (found.path(1) / "manifest.json").write_text(text)
    heard: list[str] = []
    newest = found.newest(notice=heard.append)
    assert newest is not None
    assert newest.step == 3
    assert len(heard) == 1
    assert str(found.path(1)) in heard[0]
    assert steps_of(found) == [2, 3]
    assert found.prune(keep_last=1, keep_best=0) == [2]
    assert found.path(1).exists()
    (found.path(3) / "manifest.json").write_text(text)
    with pytest.raises(RunDirError, match=r"the last checkpoint: move .*step=000003 away"):
        found.newest(notice=heard.append)


def a_saved_checkpoint(run: Path) -> Checkpoints:
    """With some files, and their sizes and digests in the manifest."""
    found = checkpoints(run, a_manifest(1))
    folder = found.path(1)
    for name in (
        "policy/model.safetensors",
        "policy/config.json",
        "critic/model.safetensors",
        "state/policy/state/rank",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode() * 500)
    files = records_of(folder)
    (folder / "manifest.json").unlink()
    facts = asdict(a_manifest(1)) | {"files": {name: asdict(record) for name, record in files.items()}}
    (folder / "manifest.json").write_text(json.dumps(facts))
    return found


@pytest.mark.parametrize(
    ("damage", "wanted"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), r"has 1,000 bytes, wanted 12,000"),
        (lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]), r"was changed since it was saved \(SHA-256"),
        (lambda path: path.unlink(), "is missing"),
    ],
)
@pytest.mark.parametrize("model", ["policy", "critic"])
def test_a_file_that_was_cut_or_changed_is_not_exported(
    tmp_path: Path, damage: Callable[[Path], None], wanted: str, model: str
) -> None:
    found = a_saved_checkpoint(tmp_path / "run")
    found.export(1, tmp_path / "whole", model=model)
    saved = found.path(1) / model
    assert {path.name for path in (tmp_path / "whole").iterdir()} == {path.name for path in saved.iterdir()}
    damage(saved / "model.safetensors")
    other = "critic" if model == "policy" else "policy"
    found.export(1, tmp_path / "other", model=other)
    message = "missing or empty" if model == "critic" and wanted == "is missing" else wanted
    with pytest.raises(RunDirError, match=message):
        found.export(1, tmp_path / "out", model=model)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_state_that_is_gone_is_told(tmp_path: Path) -> None:
    found = a_saved_checkpoint(tmp_path)
    shutil.rmtree(found.path(1) / "state")
    with pytest.raises(RunDirError, match=r"state/policy: missing or empty.*move .* away"):
        found.check_files(found.find(1), "state/policy")


def test_an_export_that_was_killed_is_done_again(tmp_path: Path) -> None:
    found = a_saved_checkpoint(tmp_path / "run")
    (tmp_path / ".out.unfinished").mkdir()
    (tmp_path / ".out.unfinished" / "half").write_text("x")
    found.export(1, tmp_path / "out")
    assert not (tmp_path / "out" / "half").exists()
    with pytest.raises(RunDirError, match="not empty"):
        found.export(1, tmp_path / "out")
    shutil.rmtree(found.path(1) / "critic")
    with pytest.raises(RunDirError, match="a run without a critic"):
        found.export(1, tmp_path / "critic", model="critic")
