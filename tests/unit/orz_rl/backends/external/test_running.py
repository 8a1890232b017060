"""A whole run by another trainer's program: start, failure, resuming, end, checkpoint.

The program is a stand-in (tests/support/stand_ins): it shows that our side works, not that the real trainer does.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orz_bench.errors import EngineError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Job
from orz_rl.backends.external.verl.backend import BACKEND
from orz_rl.recipes.registry import resolve
from orz_rl.training.checkpoint import Checkpoints

STAND_INS = Path(__file__).parents[4] / "support" / "stand_ins"
ROOT = Path(__file__).parents[5]
SMALL = (
    "data.limit=8",
    "rollout.num_problems=2",
    "rollout.num_samples=3",
    "rollout.max_tokens=60",
    "checkpoint.every=2",
    "num_steps=3",
    "eval.benchmarks=",
)


class Told:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.rows: list[Mapping[str, float]] = []
        self.num_sampled = 0

    def notice(self, text: str) -> None:
        self.texts.append(text)

    def warn(self, text: str) -> None:
        self.texts.append(text)

    def sampled(self, rollouts: Sequence[object]) -> None:
        self.num_sampled += len(rollouts)

    def stepped(self, row: Mapping[str, float], num_steps: int) -> None:
        self.rows.append(row)


@pytest.fixture
def interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """One that finds the stand-in as a package."""
    found = tmp_path / "python"
    path = os.pathsep.join(map(str, (STAND_INS / "verl", ROOT)))
    found.write_text(f'#!/bin/sh\nPYTHONPATH="{path}:$PYTHONPATH" exec "{sys.executable}" "$@"\n')
    found.chmod(0o755)
    monkeypatch.setenv("ORZ_VERL_PYTHON", str(found))
    return str(found)


def test_a_run_that_fails_is_resumed_and_ends_with_a_checkpoint(
    tmp_path: Path, interpreter: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    config = resolve("tiny", overrides=SMALL)
    job = Job(config=config, out=out, command=("orz-rl", "train", "--backend", "verl", "--fresh"))
    monkeypatch.setenv("STAND_IN_FAILS_AFTER", "3")
    failing = resolve("tiny", overrides=[*SMALL, "checkpoint.every=1000"])
    del failing
    told = Told()
    monkeypatch.setenv("STAND_IN_FAILS_AFTER", "1")
    with pytest.raises(EngineError, match=r"verl ended with code 1 after step 1 of 3.*") as caught:
        BACKEND.train(job, told)
    assert "CUDA out of memory" in str(caught.value)
    assert str(caught.value).endswith("Resume with:\n  orz-rl train --backend verl")
    run = RunDir(out)
    assert run.state() == "failed"
    assert [row["step"] for row in run.metrics()[0]] == [1]
    monkeypatch.delenv("STAND_IN_FAILS_AFTER")
    told = Told()
    outcome = BACKEND.train(job, told)
    assert run.state() == "done"
    assert [row["step"] for row in outcome.rows] == [1, 2, 3] == [row["step"] for row in told.rows]
    _check_rollouts(run)
    assert [step for step, _ in run.checkpoints()] == [3]
    Checkpoints(run).export(3, tmp_path / "exported")
    BACKEND.export(run, 2, out=tmp_path / "second", model="critic")
    assert (tmp_path / "second" / "config.json").is_file()
    with pytest.raises(RunDirError, match="verl has saved no policy of this step; there are steps 2, 3"):
        BACKEND.export(run, 1, out=tmp_path / "first")
    assert not (out / "verl" / "service.json").exists()


def _check_rollouts(run: RunDir) -> None:
    """Right, wrong and cut samples; the same problems in the same steps as native."""
    for step in (1, 2, 3):
        rows = run.rollouts(step).read().to_pylist()
        assert len(rows) == 6
        assert {row["policy_version"] for row in rows} == {step - 1}
        for row in rows:
            ended = {0: ("correct", "stop_string"), 1: ("wrong", "stop_string"), 2: ("no_answer", "length")}
            assert (row["verdict"], row["stop_reason"]) == ended[row["seed"] % 3]
            assert row["reward"] == (1.0 if row["verdict"] == "correct" else 0.0)
            assert len(row["logprobs"]) == len(row["token_ids"]) == row["num_tokens"]
    row = run.metrics()[0][-1]
    assert row["policy/entropy"] == 2.0
    assert row["policy/loss"] == -0.1
    assert row["verl/perf/mfu/actor"] == 0.4
    assert json.dumps(row)
