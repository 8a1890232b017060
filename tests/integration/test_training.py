"""Real training of the embedded model on a CPU: it resumes bit for bit, says what went wrong, and loses nothing."""

from __future__ import annotations

import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from orz_bench.records.retention import CONTENT_COLUMNS
from orz_bench.records.run_dir import RunDir
from orz_rl.training.checkpoint import Checkpoints
from tests.support.ends_of_training import POINTS
from tests.support.named_points import Point, kill_at
from tests.support.training import SMALL, metrics_of, orz_rl, rollouts_of, started

STEPS = 5
_REPLACING = Point("orz_bench.records.parquet", "replace_table", 1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    run = tmp_path_factory.mktemp("training") / "whole"
    done = orz_rl(*SMALL, f"num_steps={STEPS}", "checkpoint.every=2", "--out", run)
    assert "step 5/5" in done.stderr
    assert "orz-rl export" in done.stdout
    return run


@pytest.mark.slow
def test_every_step_leaves_its_metrics_and_rollouts(whole: Path) -> None:
    rows = metrics_of(whole)
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5]
    assert [row["policy_version"] for row in rows] == [0, 1, 2, 3, 4]
    for row in rows:
        rollouts = rollouts_of(whole, row["step"])
        assert len(rollouts) == 16
        assert {rollout["policy_version"] for rollout in rollouts} == {row["step"] - 1}
        assert row["reward/mean"] == sum(rollout["reward"] for rollout in rollouts) / 16
        assert all(rollout["advantage"] is not None and rollout["value"] is not None for rollout in rollouts)
        assert all(len(r["token_ids"]) == len(r["logprobs"]) == r["num_tokens"] for r in rollouts)
        entropies = [float(entropy) for r in rollouts for entropy in r["entropies"]]
        assert len(entropies) == sum(r["num_tokens"] for r in rollouts)
        assert sum(entropies) / len(entropies) == pytest.approx(row["policy/entropy"], rel=0.02)
        # The engine and the trainer compute the same numbers in float32, one with a cache and padding, one in packs.
        assert row["mismatch/logprob_abs_max"] < 1e-3
    assert (whole / "DONE").exists()
    assert list((whole / "tensorboard").iterdir())


@pytest.mark.slow
def test_killed_again_and_again_it_ends_like_the_unbroken_run(whole: Path, tmp_path: Path) -> None:
    """Also what shows that two runs of one seed are the same: every number of every step, and every token."""
    run = tmp_path / "killed"
    arguments = (*SMALL, f"num_steps={STEPS}", "checkpoint.every=2", "--out", run)
    points = [POINTS[name] for name in ("in sampling", "in the update", "in the checkpoint's rename")]
    # The last: the first checkpoint is whole, and nothing has been deleted yet.
    for point in (*points, replace(POINTS["deleting an old checkpoint"], at=1)):
        assert started(*arguments, prepare=kill_at(point)).wait(1000) == -signal.SIGKILL, point
    done = orz_rl(*arguments)
    assert "resuming after step" in done.stderr
    assert metrics_of(run) == metrics_of(whole)
    for step in range(1, STEPS + 1):
        assert rollouts_of(run, step) == rollouts_of(whole, step)
    assert not list(run.rglob("*.tmp"))
    assert [m.step for m in Checkpoints(RunDir(run)).complete()] == [
        m.step for m in Checkpoints(RunDir(whole)).complete()
    ]


@pytest.mark.slow
def test_dropping_old_rollouts_changes_nothing_else(whole: Path, tmp_path: Path) -> None:
    """Killed while it drops, and then resumed from a checkpoint before steps whose rollouts are reduced."""
    run = tmp_path / "reduced"
    arguments = (*SMALL, f"num_steps={STEPS}", "checkpoint.every=2", "rollouts.keep=every:9", "--out", run)
    assert started(*arguments, prepare=kill_at(replace(_REPLACING, at=4))).wait(1000) == -signal.SIGKILL
    orz_rl(*arguments)
    assert metrics_of(run) == metrics_of(whole)
    for step in range(1, STEPS + 1):
        for row, full in zip(rollouts_of(run, step), rollouts_of(whole, step), strict=True):
            dropped = dict.fromkeys((*CONTENT_COLUMNS, "entropies"))
            assert {name: row[name] for name in dropped} == dropped
            assert {**row, "extra": ""} == {**full, **dropped, "extra": ""}
    (run / "metrics.jsonl").unlink()
    shutil.rmtree(run / "checkpoints" / "step=000005")
    (run / "DONE").unlink()
    done = orz_rl(*arguments)
    assert "metrics that follow from the rollouts are restored" in done.stderr
    last, unbroken = metrics_of(run), metrics_of(whole)
    assert last[-1] == unbroken[-1], "step 5 is drawn and learned again, and is the same"
    assert "reflection/rate" not in last[0]
    assert last[0]["reward/mean"] == unbroken[0]["reward/mean"]


@pytest.mark.slow
def test_a_run_of_another_configuration_is_kept_and_its_checkpoint_can_be_exported(whole: Path, tmp_path: Path) -> None:
    before = metrics_of(whole)
    done = orz_rl(*SMALL, f"num_steps={STEPS}", "optim.policy_lr=3e-4", "--out", whole, expect=2)
    assert "optim.policy_lr: found 0.0" in done.stderr
    assert "--fresh" in done.stderr
    assert metrics_of(whole) == before
    orz_rl("export", whole, "--step", "5", "--to", tmp_path / "model")
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in (tmp_path / "model").iterdir()}
    assert (
        "no complete checkpoint of step 3"
        in orz_rl("export", whole, "--step", "3", "--to", tmp_path / "other", expect=2).stderr
    )


@pytest.mark.slow
def test_without_a_critic_and_with_the_options_of_others(tmp_path: Path) -> None:
    """Dr.GRPO's constant normalisation, DAPO's dynamic sampling and clip-higher, truncated importance sampling."""
    run = tmp_path / "run"
    options = (
        "advantage.estimator=dr_grpo",
        "loss.normalisation=constant",
        "loss.clip_high=0.28",
        "loss.importance_cap=2",
        "rollout.dynamic_sampling=2",
        "optim.policy_updates=2",
        "checkpoint.every=1",
        "checkpoint.keep_last=1",
        "checkpoint.keep_best=0",
        "rollouts.entropies=false",
    )
    orz_rl(*SMALL, *options, "num_steps=3", "--out", run)
    rows = metrics_of(run)
    assert [row["step"] for row in rows] == [1, 2, 3]
    for row in rows:
        assert "critic/loss" not in row
        rollouts = rollouts_of(run, row["step"])
        assert len(rollouts) == 16 + 4 * row["group/replaced"]
        assert sum(rollout["advantage"] is not None for rollout in rollouts) == 16
        assert not any("entropies" in rollout for rollout in rollouts)
    assert sum(row["group/replaced"] for row in rows) > 0
    assert [m.step for m in Checkpoints(RunDir(run)).complete()] == [3]
    assert not (run / "checkpoints" / "step=000003" / "critic").exists()


@pytest.mark.slow
def test_weights_that_are_not_finite_stop_a_run_before_anything_is_sampled_from_them(tmp_path: Path) -> None:
    run = tmp_path / "run"
    # A rate of 1e30 makes the logits infinite from the second step on.
    done = orz_rl(*SMALL, "num_steps=3", "optim.policy_lr=1e30", "optim.warmup_steps=0", "--out", run, expect=2)
    assert "the checkpoint is broken" in done.stderr
    assert "Traceback" not in done.stderr
    assert (run / "FAILED").exists()
    assert not (run / "rollouts" / "step=000002").exists() or not list(run.glob("rollouts/step=000002/part-*"))


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (
            ("rollout.num_sample=3", "sed=1", "optim.policy_lr=-1"),
            ("3 settings cannot work", "rollout.num_samples", "'seed'"),
        ),
        (("cluster.device=cuda",), ("this machine has no GPU",)),
        (("cluster.policy_ranks=64",), ("64 CPUs", "are missing")),
    ],
)
@pytest.mark.slow
def test_bad_settings_are_reported_before_anything_starts(
    arguments: tuple[str, ...], wanted: tuple[str, ...], tmp_path: Path
) -> None:
    placed = ("cluster.in_process=false",) if "cluster" in arguments[0] else ()
    done = orz_rl(
        *SMALL,
        *placed,
        *arguments,
        "--out",
        tmp_path / "run",
        expect=2,
        is_started="num_sample" in arguments[0],
    )
    assert all(text in done.stderr for text in wanted), done.stderr
    assert not list(tmp_path.rglob("*.parquet"))
