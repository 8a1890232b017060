"""A whole run by another trainer's program: start, failure, resuming, end, checkpoint.

The program is a stand-in (tests/support/stand_ins): it shows that our side works, not that the real trainer does.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from orz_bench.benchmarks.arithmetic import generate_sums
from orz_bench.errors import EngineError, RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.backend import Job
from orz_rl.backends.external.backend import ExternalBackend
from orz_rl.backends.registry import BACKENDS
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.problems import problems_at

ROOT = Path(__file__).parents[5]
SMALL = (
    "data.limit=8",
    "rollout.num_problems=2",
    "rollout.num_samples=3",
    "rollout.max_tokens=60",
    "checkpoint.every=2",
    "num_steps=4",
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


def stands_in(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ExternalBackend:
    """The backend, with an interpreter that runs the stand-in, whatever module is named."""
    found = tmp_path / "python"
    run = f'exec "{sys.executable}" -m tests.support.stand_ins.{name} "$@"'
    found.write_text(f'#!/bin/sh\nexport PYTHONPATH="$PYTHONPATH:{ROOT}"\n{run}\n')
    found.chmod(0o755)
    monkeypatch.setenv(f"ORZ_{name.upper()}_PYTHON", str(found))
    backend = BACKENDS.load(name)
    assert isinstance(backend, ExternalBackend)
    return backend


def test_a_run_that_fails_is_resumed_and_ends_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, backend = tmp_path / "run", stands_in("verl", tmp_path, monkeypatch)
    job = Job(config=resolve("tiny", overrides=SMALL), out=out, command=("orz-rl", "train", "--fresh"))
    monkeypatch.setenv("STAND_IN_FAILS_AFTER", "3")
    with pytest.raises(EngineError, match=r"verl ended with code 1 after step 3 of 4") as caught:
        backend.train(job, Told())
    assert "CUDA out of memory" in str(caught.value)
    assert str(caught.value).endswith("Resume with:\n  orz-rl train")
    run = RunDir(out)
    assert run.state() == "failed"
    assert [row["step"] for row in run.metrics()[0]] == [1, 2, 3]
    monkeypatch.delenv("STAND_IN_FAILS_AFTER")
    told = Told()
    outcome = backend.train(job, told)
    assert run.state() == "done"
    assert [row["step"] for row in told.rows] == [3, 4]  # the last checkpoint was that of step 2
    assert [row["step"] for row in outcome.rows] == [1, 2, 3, 4]
    assert told.num_sampled == 12
    assert "resuming after step 2" in told.texts
    _check_rollouts(run, versions=True)
    row = run.metrics()[0][-1]
    assert (row["policy/entropy"], row["policy/loss"], row["verl/perf/mfu/actor"]) == (2.0, -0.1, 0.4)
    assert [step for step, _ in run.checkpoints()] == [4]
    backend.export(run, 4, out=tmp_path / "last")
    backend.export(run, 2, out=tmp_path / "critic", model="critic")
    assert (tmp_path / "last" / "config.json").is_file()
    assert (tmp_path / "critic" / "config.json").is_file()
    with pytest.raises(RunDirError, match="verl has saved no policy of this step; there are steps 2, 4"):
        backend.export(run, 1, out=tmp_path / "first")
    assert not (out / "verl" / "service.json").exists()
    told = Told()
    assert len(backend.train(job, told).rows) == 4  # nothing is left to do
    assert told.num_sampled == 0


@pytest.mark.parametrize("name", ["openrlhf", "skyrl"])
def test_a_whole_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, backend = tmp_path / "run", stands_in(name, tmp_path, monkeypatch)
    told = Told()
    outcome = backend.train(Job(config=resolve("tiny", overrides=SMALL), out=out, command=("orz-rl",)), told)
    run = RunDir(out)
    assert run.state() == "done"
    assert [row["step"] for row in outcome.rows] == [1, 2, 3, 4] == [row["step"] for row in told.rows]
    _check_rollouts(run, versions=name == "skyrl")
    assert [step for step, _ in run.checkpoints()] == [4]
    backend.export(run, 2, out=tmp_path / "second")
    assert (tmp_path / "second" / "config.json").is_file()
    with pytest.raises(RunDirError, match=r"no policy of this step; there are steps 2"):
        backend.export(run, 3, out=tmp_path / "third")
    with pytest.raises(RunDirError, match="only policies are exported"):
        backend.export(run, 2, out=tmp_path / "critic", model="critic")
    named = {"openrlhf": "openrlhf/train/actor_grad_norm", "skyrl": "policy/grad_norm"}[name]
    assert outcome.rows[-1][named] == pytest.approx(0.7)


def _check_rollouts(run: RunDir, *, versions: bool) -> None:
    """Right, wrong and cut samples; the same problems in the same steps as native."""
    problems = list(generate_sums(split="train"))[:8]
    for step in (1, 2, 3, 4):
        rows = run.rollouts(step).read().to_pylist()
        assert len(rows) == 6
        wanted = problems_at(8, start=2 * (step - 1), count=2, seed=42, step_size=2)
        assert {row["problem_id"] for row in rows} == {problems[number].problem_id for number in wanted}
        assert {row["policy_version"] for row in rows} == {step - 1 if versions else None}
        for row in rows:
            ended = {0: ("correct", "stop_string"), 1: ("wrong", "stop_string"), 2: ("no_answer", "length")}
            assert (row["verdict"], row["stop_reason"]) == ended[row["seed"] % 3]
            assert row["reward"] == (1.0 if row["verdict"] == "correct" else 0.0)
            assert len(row["logprobs"]) == len(row["token_ids"]) == row["num_tokens"]


def test_a_program_that_ends_too_early_or_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORZ_VERL_PYTHON", shutil.which("true") or "")
    job = Job(config=resolve("tiny", overrides=SMALL), out=tmp_path / "run", command=("orz-rl", "train"))
    with pytest.raises(EngineError, match=r"verl ended with code 0 after step 0 of 4; it last wrote .*: nothing."):
        BACKENDS.load("verl").train(job, Told())


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        (None, r"verl, which is not installed for .*It needs an environment of its own: python -m venv"),
        ("0.7.1", r"verl 0.9: .* has 0.7.1, whose settings differ"),
        ("0.9.3", r"vllm, flash-attn, TransferQueue for"),
    ],
)
def test_what_is_missing_is_said(
    version: str | None, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = "{}" if version is None else f'{{"verl": "{version}"}}'
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\necho '{found}'\n")
    python.chmod(0o755)
    monkeypatch.setenv("ORZ_VERL_PYTHON", str(python))
    here = BACKENDS.load("verl").available()
    assert here.version == version
    assert re.search(missing, here.missing)
    for broken in (str(tmp_path / "none"), shutil.which("false") or ""):
        monkeypatch.setenv("ORZ_VERL_PYTHON", broken)
        assert "correct" in BACKENDS.load("verl").available().missing
