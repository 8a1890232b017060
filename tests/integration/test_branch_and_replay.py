"""Real runs that are made from a real run: nothing changed, they are its steps bit for bit; changed, they say so."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest

from orz_bench.records.origin import origin_at
from orz_bench.records.run_dir import RunDir
from orz_rl.training.checkpoint import Checkpoints
from tests.support.ends_of_training import POINTS
from tests.support.named_points import kill_at
from tests.support.training import SMALL, metrics_of, orz_rl, rollouts_of, started

LAST = 4
KEPT = ("checkpoint.every=2", "checkpoint.keep_last=9", f"num_steps={LAST}")


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("runs") / "parent"
    orz_rl(*SMALL, *KEPT, "--out", run)
    return run


def weights_of(run: Path, step: int = LAST) -> dict[str, bytes]:
    folder = Checkpoints(RunDir(run)).path(step)
    return {name: (folder / name / "model.safetensors").read_bytes() for name in ("policy", "critic")}


@pytest.mark.slow
def test_a_branch_without_changes_is_its_parent_bit_for_bit(parent: Path, tmp_path: Path) -> None:
    run = tmp_path / "branch"
    arguments = ("train", "--from", f"{parent}@2", "--out", run)
    killed = started(*arguments, prepare=kill_at(POINTS["in the update"]))
    assert killed.wait(1000) == -signal.SIGKILL
    hidden = parent.rename(parent.with_name("hidden"))  # the parent is not needed any more
    try:
        done = orz_rl(*arguments)
    finally:
        hidden.rename(parent)
    assert "step 3/4" in done.stderr
    assert metrics_of(run) == metrics_of(parent)
    assert weights_of(run) == weights_of(parent)
    for step in (3, 4):
        assert rollouts_of(run, step) == rollouts_of(parent, step)
    assert [step for step, _ in RunDir(run).sampled_steps()] == [3, 4]
    info = RunDir(run).info()
    assert info["parent"] == {
        "run": str(parent), "run_id": RunDir(parent).info()["run_id"], "step": 2, "changed": {},
    }  # fmt: skip
    assert info["run_id"] != info["parent"]["run_id"]


@pytest.mark.slow
def test_a_replay_without_changes_makes_the_same_updates_and_a_changed_one_is_corrected(
    parent: Path, tmp_path: Path
) -> None:
    run = tmp_path / "replay"
    done = orz_rl("train", "--replay", parent, "--out", run)
    assert "correction: none" in done.stderr
    assert weights_of(run) == weights_of(parent)
    speed = "throughput/sample"
    theirs = [{name: value for name, value in row.items() if name != speed} for row in metrics_of(parent)]
    ours = [
        {name: value for name, value in row.items() if not name.startswith("staleness/")} for row in metrics_of(run)
    ]
    assert ours == theirs
    for step in range(1, LAST + 1):
        assert rollouts_of(run, step) == rollouts_of(parent, step)
    assert not (run / "logs").exists() or not list((run / "logs").glob("engine*"))
    changed = tmp_path / "changed"
    done = orz_rl("train", "--replay", parent, "optim.policy_lr=1e-3", "reward.control=flip:0.5", "--out", changed)
    assert "the policy that learns is not the one that sampled: loss.clip_against=sampler" in done.stderr
    rows = metrics_of(changed)
    assert rows[0]["mismatch/kl"] < 1e-6 < rows[-1]["mismatch/kl"]
    assert rows[-1]["staleness/max"] == 0
    flipped = [row["reward"] for row in rollouts_of(changed, 1)]
    assert flipped != [row["reward"] for row in rollouts_of(parent, 1)]
    assert origin_at(RunDir(changed)).suffix == " (reward: flip:0.5; replays parent)"


@pytest.mark.slow
def test_a_branch_may_change_settings_even_of_the_optimiser_and_the_rest_is_replayed(
    parent: Path, tmp_path: Path
) -> None:
    run = tmp_path / "branch"
    changes = ("optim.betas=[0.5, 0.6]", "optim.weight_decay=0.1", "num_steps=3")
    orz_rl("train", "--from", f"{parent}@2", "--replay", parent, *changes, "--out", run)
    same = tmp_path / "same"
    orz_rl("train", "--from", f"{parent}@2", "--replay", parent, "num_steps=3", "--out", same)
    assert [row["step"] for row in metrics_of(run)] == [1, 2, 3]
    assert rollouts_of(run, 3)[0]["token_ids"] == rollouts_of(parent, 3)[0]["token_ids"]
    assert weights_of(run, 3)["policy"] != weights_of(same, 3)["policy"]
    assert json.loads((run / "run.json").read_text())["parent"]["changed"]["optim.weight_decay"] == [0.0, 0.1]
    done = orz_rl("train", "--from", f"{run}@3", "num_steps=5", "rollout.replay=null", "--out", tmp_path / "on")
    assert "step 5/5" in done.stderr
    shutil.rmtree(tmp_path / "on")


def test_what_says_nothing_or_two_things_is_refused(tmp_path: Path) -> None:
    for arguments, wanted in (
        ((), "nothing says what to train"),
        (("--recipe", "tiny", "--from", "x@1"), "--recipe cannot be given as well"),
        (("--from", "x@1"), "name its folder with --out"),
        (("--replay", tmp_path, "--out", tmp_path / "new"), "not a run directory"),
        (("--from", f"{tmp_path}@1", "--out", tmp_path / "new"), "not a run directory"),
    ):
        assert wanted in orz_rl("train", *arguments, expect=2).stderr
    assert not (tmp_path / "new").exists()
