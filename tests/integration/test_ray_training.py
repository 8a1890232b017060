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

from tests.support.training import metrics_of, orz_rl, started

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


def process_of(log: Path) -> int:
    """The process that writes this log."""
    found = re.findall(r"^process (\d+) on node", log.read_text("utf-8"), flags=re.MULTILINE)
    return int(found[-1])
