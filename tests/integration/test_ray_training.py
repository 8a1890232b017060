"""Training over a local Ray: weights are mapped between processes, and a worker that dies is reported at once."""

from __future__ import annotations

import os
import re
import shlex
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.named_points import Point, kill_at
from tests.support.training import metrics_of, orz_rl, rollouts_of, started

ARGUMENTS = (
    "train",
    "--recipe",
    "tiny",
    "rollout.engine=transformers",
    "cluster.weight_sync=ipc",
    "rollout.num_problems=4",
    "rollout.num_samples=4",
    "data.limit=64",
    "eval.benchmarks=",
    "checkpoint.every=1",
    "num_steps=4",
)


@pytest.mark.slow
@pytest.mark.real_model
def test_a_model_process_that_dies_is_reported_and_the_same_command_resumes(
    workers: Mapping[str, str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    log = run / "logs" / "policy-0.log"
    log.parent.mkdir(parents=True)
    log.write_text("RuntimeError: words of an earlier start\n", encoding="utf-8")
    process = started(*ARGUMENTS, "--out", run, environment=workers)
    while not (run / "checkpoints" / "step=000002" / "manifest.json").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    os.kill(process_of(log), signal.SIGKILL)
    _, errors = process.communicate(timeout=1000)
    assert process.returncode == 2
    report = errors[errors.index("error: ") :].splitlines()
    assert report == [
        "error: the process policy-0 died (out of memory, or killed?). Completed work is saved.",
        f"policy-0 wrote nothing about it ({log}).",
        "Resume with:",
        f"  orz-rl {shlex.join([*ARGUMENTS, '--out', str(run)])}",
    ]
    assert "(raylet)" not in errors
    assert (run / "FAILED").exists()

    done = orz_rl(*ARGUMENTS, "--out", run, environment=workers)
    assert "resuming after step" in done.stderr
    rows = metrics_of(run)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    # Engines got the weights of every step whole: they and the trainer agree on every token.
    assert all(row["mismatch/logprob_abs_max"] < 1e-3 for row in rows)
    assert (run / "DONE").exists()


@pytest.mark.slow
@pytest.mark.real_model
@pytest.mark.parametrize("partial", ["false", "true"])
def test_steps_are_sampled_ahead_of_learning_and_a_killed_run_goes_on(
    workers: Mapping[str, str], tmp_path: Path, partial: str
) -> None:
    run = tmp_path / "run"
    separate = ("cluster.colocate=false", "cluster.colocate_models=true", "cluster.weight_sync=broadcast")
    overlap = (*separate, "rollout.max_staleness=1", f"rollout.partial={partial}")
    arguments = ("train", "--recipe", "tiny", *ARGUMENTS[3:4], *overlap, *ARGUMENTS[5:])
    kill = kill_at(Point("orz_rl.training.checkpoint:Checkpoints", "save", 2, is_after=True))
    killed = started(*arguments, "--out", run, environment=workers, prepare=kill)
    assert killed.wait(1000) == -signal.SIGKILL
    done = orz_rl(*arguments, "--out", run, environment=workers)
    assert "resuming after step 2" in done.stderr
    rows = metrics_of(run)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert [row["staleness/max"] <= 1 for row in rows] == [True] * 4
    is_whole = partial == "false"
    assert rows[1]["staleness/mean"] == 1.0 or not is_whole, "step 2 was sampled while step 1 was learned"
    assert max(row["staleness/mean"] for row in rows) > 0
    problems = [row["problem_id"] for step in (1, 2, 3, 4) for row in rollouts_of(run, step)]
    assert {problems.count(problem) for problem in problems} == {4}, "no problem is skipped or doubled"
    assert rows[0]["mismatch/logprob_abs_max"] < 1e-3
    if not is_whole:
        _is_replayed_bit_for_bit(run, tmp_path / "replay", workers=workers)


def _is_replayed_bit_for_bit(run: Path, replay: Path, *, workers: Mapping[str, str]) -> None:
    """Also samples of several versions; what was drawn is learned, so which version drew it does not depend on time."""
    orz_rl("train", "--from", f"{run}@2", "--replay", run, "--out", replay, environment=workers)
    assert metrics_of(replay) == metrics_of(run)
    for step in (3, 4):
        assert rollouts_of(replay, step) == rollouts_of(run, step)


def process_of(log: Path) -> int:
    """The process that writes this log."""
    found = re.findall(r"^process (\d+) on node", log.read_text("utf-8"), flags=re.MULTILINE)
    return int(found[-1])
