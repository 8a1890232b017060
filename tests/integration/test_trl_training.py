"""Training by TRL's trainers, as a user starts it: killed at named points, the rows are those of an unbroken run."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from tests.support.named_points import Point, kill_at
from tests.support.training import EVERY_TWO_STEPS, SMALL, metrics_of, orz_rl, rollouts_of, started

STEPS = 3
ARGUMENTS = (
    *SMALL,
    "--backend",
    "trl",
    "advantage.estimator=grpo",
    "optim.policy_updates=2",
    f"num_steps={STEPS}",
    *EVERY_TWO_STEPS,
)
POINTS = {
    "in sampling": Point("orz_bench.evaluation.recorder:Recorder", "add", 3),
    "in an update": Point("orz_rl.backends.trl.trace:Trace", "add_loss", 2),
    "in the checkpoint's write": Point("orz_rl.backends.trl.run:SavedPolicy", "save_state", 1),
    "in the first update after the checkpoint": Point("orz_rl.backends.trl.trace:Trace", "end_update", 5),
}
"""The first three in steps 1 and 2, so from the base model; the last in step 3."""


@pytest.mark.slow
def test_killed_at_every_point_and_resumed(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    orz_rl(*ARGUMENTS, "--out", whole)
    for name, point in POINTS.items():
        process = started(*ARGUMENTS, "--out", killed, prepare=kill_at(point))
        _, errors = process.communicate(timeout=1000)
        assert process.returncode == -signal.SIGKILL, (name, errors)
        assert not (killed / "DONE").exists()
    finished = orz_rl(*ARGUMENTS, "--out", killed)
    assert "resuming after step 2" in finished.stderr
    assert metrics_of(killed) == metrics_of(whole)
    assert [row["step"] for row in metrics_of(whole)] == [1, 2, 3]
    for step in range(1, STEPS + 1):
        assert rollouts_of(killed, step) == rollouts_of(whole, step)
    assert [result.to_json() for result in RunDir(killed).results()] != []
    assert not [path for path in killed.rglob(".*") if path.name != ".lock"]
    assert_files(whole)
    again = orz_rl(*ARGUMENTS, "--out", whole)
    assert "is complete: 3 steps" in again.stderr


def assert_files(run: Path) -> None:
    """What every reader of a run expects."""
    info = RunDir(run).info()
    assert (info["kind"], info["backend"]) == ("train", "trl")
    assert (run / "DONE").exists()
    row = metrics_of(run)[-1]
    wanted = {"policy/loss", "policy/grad_norm", "policy/lr", "policy/clip_fraction", "policy/entropy", "reward/mean"}
    assert row.keys() > wanted
    assert not {"packing/efficiency", "critic/loss", "kl/reference"} & row.keys()
    assert row["mismatch/logprob_abs_max"] < 1e-4  # the engine has the trainer's weights
    (rollout, *_) = rollouts_of(run, 3)
    assert len(rollout["token_ids"]) == len(rollout["logprobs"]) == rollout["num_tokens"]
    assert (rollout["policy_version"], rollout["step"]) == (2, 3)
    assert None not in (rollout["advantage"], rollout["reward"], rollout["verdict"], rollout["why"])
    policy = run / "checkpoints" / "step=000003" / "policy"
    manifest = json.loads((run / "checkpoints" / "step=000003" / "manifest.json").read_text(encoding="utf-8"))
    assert {"policy/model.safetensors", "state/policy/optimizer.pt", "state/policy/trainer_state.json"} <= set(
        manifest["files"]
    )
    saved, base = (json.loads((folder / "config.json").read_text(encoding="utf-8")) for folder in (policy, Path(TINY)))
    assert saved == base
    assert {result.step for result in RunDir(run).results()} == {0, 2, 3}
