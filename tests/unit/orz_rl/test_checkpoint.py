"""Which checkpoints stay, and that one without a manifest counts as none."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.checkpoint import Checkpoints, Manifest, rewind_metrics


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
    with pytest.raises(RunDirError, match=r"no finished checkpoint of step 2; there are: 1"):
        found.export(2, tmp_path / "out")
    found.delete_unfinished()
    assert not found.path(2).exists()
    assert found.path(1).exists()


def test_a_manifest_of_another_version_is_told(tmp_path: Path) -> None:
    found = checkpoints(tmp_path, a_manifest(1, schema_version=99))
    with pytest.raises(RunDirError, match="schema 99, wanted 1"):
        found.complete()


def test_metrics_after_a_checkpoint_are_dropped_with_a_torn_line(tmp_path: Path) -> None:
    lines = [json.dumps({"step": step, "reward/mean": step / 10}) for step in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 4, "rew']), encoding="utf-8")
    assert [row["step"] for row in rewind_metrics(RunDir(tmp_path), 2)] == [1, 2]
    assert (tmp_path / "metrics.jsonl").read_text(encoding="utf-8") == "\n".join(lines[:2]) + "\n"
