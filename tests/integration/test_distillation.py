"""Real distillation of the embedded model on a CPU: from answers and from a teacher, resumed, and trained further."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from orz_bench.records.run_dir import RunDir
from tests.support.ends_of_training import POINTS
from tests.support.named_points import kill_at
from tests.support.training import SMALL, metrics_of, orz_rl, rollouts_of, started

SHARED = (*(part for part in SMALL if part not in ("train", "--recipe", "tiny")), "optim.policy_warmup_updates=1")
STEPS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("distillation")


@pytest.fixture(scope="module")
def source(folder: Path) -> Path:
    """Two steps of PPO: its answers are learned, and its policy is the teacher."""
    run = folder / "source"
    orz_rl(*SMALL, "rollout.num_samples=8", "num_steps=2", "--out", run)
    return run


def supervised(source: Path, out: Path) -> tuple[str | Path, ...]:
    settings = ("distill.batch=4", f"num_steps={STEPS}", "checkpoint.every=2")
    return ("distill", "--from", source, "--student", "tiny", "--out", out, *SHARED, *settings)


@pytest.fixture(scope="module")
def whole(folder: Path, source: Path) -> Path:
    """An unbroken run on the answers."""
    run = folder / "whole"
    done = orz_rl(*supervised(source, run))
    assert "are learned" in done.stderr
    assert "step 3/3" in done.stderr
    return run


@pytest.mark.slow
def test_right_answers_are_learned_and_every_one_has_a_fate(source: Path, whole: Path) -> None:
    rows = metrics_of(whole)
    assert [row["step"] for row in rows] == [1, 2, 3]
    stored = [row for step in (1, 2) for row in rollouts_of(source, step)]
    fates = pq.read_table(whole / "distillation" / "fates.parquet").to_pylist()
    assert len(fates) == len(stored)
    right = {(row["problem_id"], row["completion"]) for row in stored if row["verdict"] == "correct"}
    assert sum(fate["fate"] == "chosen" for fate in fates) == len(right)
    for row in rows:
        learned = rollouts_of(whole, row["step"])
        assert {(each["problem_id"], each["completion"]) for each in learned} <= right
        assert {each["advantage"] for each in learned} == {1.0}
        assert {each["policy_version"] for each in learned} == {None}
        assert row["policy/loss"] > 0
        assert not {"reward/mean", "accuracy/mean", "mismatch/kl", "critic/loss"} & row.keys()
    assert not (whole / "checkpoints" / "step=000003" / "critic").exists()


@pytest.mark.slow
def test_a_branch_learns_the_answers_that_its_parent_keeps(source: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "branch"
    source.rename(tmp_path / "moved")
    try:
        orz_rl("train", "--from", f"{whole}@2", "--out", run)
    finally:
        (tmp_path / "moved").rename(source)
    assert metrics_of(run) == metrics_of(whole)
    assert rollouts_of(run, STEPS) == rollouts_of(whole, STEPS)
    weights = [path / "checkpoints/step=000003/policy/model.safetensors" for path in (run, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    for name in ("card.json", "fates.parquet"):
        assert (run / "distillation" / name).read_bytes() == (whole / "distillation" / name).read_bytes()
    refused = orz_rl("train", "--replay", whole, "--out", tmp_path / "replay", expect=2)
    assert "orz-rl distill --from learns again" in refused.stderr


@pytest.mark.slow
def test_killed_it_ends_with_the_same_weights(source: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "killed"
    for at in (2, 3):  # before the first checkpoint, and after it
        killed = started(*map(str, supervised(source, run)), prepare=kill_at(replace(POINTS["in the update"], at=at)))
        assert killed.wait(1000) == -signal.SIGKILL
    source.rename(tmp_path / "moved")  # what was chosen is in the run
    try:
        orz_rl(*supervised(source, run))
    finally:
        (tmp_path / "moved").rename(source)
    assert metrics_of(run) == metrics_of(whole)
    weights = [path / "checkpoints/step=000003/policy/model.safetensors" for path in (run, whole)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


@pytest.mark.slow
def test_on_policy_the_student_samples_and_ppo_goes_on_from_it(source: Path, tmp_path: Path) -> None:
    teacher, run = source / "checkpoints/step=000002/policy", tmp_path / "student"
    on_policy = ("--on-policy", "--teacher", teacher, "--teacher-tokens", "5", "--student", "tiny", "--out", run)
    orz_rl("distill", *on_policy, *SHARED, "num_steps=2", "checkpoint.every=2")
    first, second = metrics_of(run)
    for row in (first, second):
        assert row["advantage/mean"] != 0
        assert {"accuracy/mean", "reward/mean", "kl/reference", "policy/clip_fraction"} <= row.keys()
        assert not {"critic/loss", "critic/value_mean"} & row.keys()
        rollouts = rollouts_of(run, row["step"])
        assert {each["policy_version"] for each in rollouts} == {row["step"] - 1}
        assert len({each["advantage"] for each in rollouts}) > 2, "it is that of tokens, not of rewards"
    assert abs(first["mismatch/logprob_abs_max"]) < 1e-3
    further = tmp_path / "further"
    orz_rl(*SMALL, "num_steps=1", f"model.policy={run / 'checkpoints/step=000002/policy'}", "--out", further)
    (row,) = metrics_of(further)
    assert "critic/loss" in row
    assert RunDir(further).state() == "done"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ((), "nothing to learn from: give --from RUN|FILE"),
        (("--teacher", "tiny"), "--teacher is for --on-policy"),
        (("--on-policy",), "--on-policy needs --teacher"),
        (("--from", "nowhere", "--teacher-tokens", "4"), "--teacher-tokens is for --on-policy --teacher PATH"),
        (("--from", "nowhere", "distill.teacher_tokens=4"), "distill.teacher_tokens is about a teacher, but"),
        (
            ("--on-policy", "--teacher", "x", "--teacher-tokens", "4", "loss.objective=log_likelihood"),
            "distill.teacher_tokens learns",
        ),
        (("--from", "nowhere"), "distill.source=nowhere: no such file or run"),
        (
            ("--from", "nowhere", "advantage.estimator=gae"),
            "advantage.estimator=gae does not learn from it; use imitation",
        ),
        (("--on-policy", "--teacher", "nowhere"), "distill.teacher"),
    ],
)
def test_what_cannot_work_is_said_before_anything_starts(
    arguments: tuple[str, ...], wanted: str, tmp_path: Path
) -> None:
    done = orz_rl("distill", *arguments, "--out", tmp_path / "run", expect=2)
    assert wanted in done.stderr
    assert not (tmp_path / "run").exists()
