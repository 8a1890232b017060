"""A run stopped at named points resumes to the result of an uninterrupted run, and every end is marked.

Some of the cases of tests.support.ends_of_training; benchmarks/results/ends_of_training.json has those that were run.
"""

from __future__ import annotations

import json
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from tests.support.command_line import ENVIRONMENT
from tests.support.preloaded import ForkedCommand
from tests.support.small_disk import mount_small_disk
from tests.support.training import SMALL, metrics_of, orz_rl, started

CASES = ("in the update:SIGTERM", "writing advantages:SIGKILL", "in the second checkpoint's write:full disk")


@pytest.mark.slow
def test_nothing_is_lost_and_every_end_is_marked(tmp_path: Path) -> None:
    prepare = partial(mount_small_disk, tmp_path, "96m")
    arguments = (str(tmp_path), *CASES)
    command = ForkedCommand("tests.support.ends_of_training", arguments, environment=ENVIRONMENT, prepare=prepare)
    stdout, stderr = command.communicate(1000)
    assert command.returncode == 0, stderr
    facts = [json.loads(line) for line in stdout.splitlines() if line.startswith("{")]
    assert [f"{fact['point']}:{fact['end']}" for fact in facts] == list(CASES)
    assert all(fact["fine"] for fact in facts), facts


@pytest.mark.slow
def test_fresh_leaves_a_run_alone_that_is_being_trained_and_nohup_is_respected(tmp_path: Path) -> None:
    run = tmp_path / "run"
    as_nohup_does = partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    process = started(*SMALL, "num_steps=400", "--out", run, prepare=as_nohup_does)
    while not (run / "rollouts" / "step=000002").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    done = orz_rl(*SMALL, "num_steps=400", "seed=7", "--fresh", "--out", run, expect=2)
    assert "another process is at work in this run" in done.stderr
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=1000)
    assert process.returncode == 143
    assert errors.splitlines()[-1].startswith("stopped; completed work is saved")
    assert (run / "FAILED").read_text() == "stopped by SIGTERM\n"
    num_steps = len(metrics_of(run))
    assert [row["step"] for row in metrics_of(run)] == list(range(1, num_steps + 1))
    orz_rl(*SMALL, "num_steps=1", "seed=7", "--fresh", "--out", run)
    assert (run / "DONE").exists()
    assert len(metrics_of(run)) == 1
