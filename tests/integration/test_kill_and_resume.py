"""SIGKILL at random moments and the same command again: the rows are those of an unbroken run."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.command_line import COMMAND, orz_bench, results_of, rows_of
from tests.tiny_model import a_tiny_checkpoint


def kill_until_done(arguments: list[str], *, times: int, seconds: tuple[float, float], seed: int) -> int:
    """Start and kill that many times after a random while, then let it finish; how many starts were killed."""
    rng = random.Random(seed)
    killed = 0
    for _ in range(times):
        process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(*seconds))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        process.wait()
    orz_bench(*arguments)
    return killed


def test_fake_engine_killed_twenty_times(tmp_path: Path) -> None:
    arguments = ["eval", "--ckpt", "fake:0.6:0.04", "--engine", "fake", "--bench", "arithmetic", "--n", "64", "--out"]
    orz_bench(*arguments, tmp_path / "whole")
    killed = kill_until_done([*arguments, str(tmp_path / "killed")], times=20, seconds=(0.4, 2.4), seed=1)
    assert killed >= 10, "too few kills hit the run for this test to mean anything"
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "killed")) == 6400
    assert not list((tmp_path / "killed").rglob("*.tmp"))


@pytest.mark.slow
@pytest.mark.real_model
def test_transformers_engine_killed_again_and_again(tmp_path: Path) -> None:
    checkpoint = a_tiny_checkpoint(tmp_path / "m")
    arguments = ["eval", "--ckpt", str(checkpoint), "--engine", "transformers", "--bench", "arithmetic", "--n", "8"]
    arguments += ["--limit", "25", "--template", "plain", "--max-tokens", "100", "--batch-size", "8", "--out"]
    orz_bench(*arguments, tmp_path / "whole")
    killed = kill_until_done([*arguments, str(tmp_path / "killed")], times=4, seconds=(4.5, 8.5), seed=2)
    assert killed >= 2, "too few kills hit the run for this test to mean anything"
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    arguments = [*COMMAND, "eval", "--ckpt", "fake:0.6:0.05", "--engine", "fake", "--bench", "arithmetic", "--n", "64"]
    arguments += ["--out", str(tmp_path)]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.glob("evals/*/*/*/protocol.json")):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on from there" in errors
    assert "Traceback" not in errors
    kept = len(rows_of(tmp_path))
    assert 0 < kept < 6400
    (result,) = results_of(orz_bench(*arguments[len(COMMAND) :], "--json"))
    assert result["num_generated_now"] == 6400 - kept


def test_a_run_directory_with_several_checkpoints(tmp_path: Path) -> None:
    from orz_bench.records.run_dir import RunDir

    run = RunDir(tmp_path / "run")
    run.create(kind="train", command=[], seed=0, environment={})
    for step in (10, 20):
        (run.path / "checkpoints" / f"step={step:06d}" / "policy").mkdir(parents=True)
    arguments = ("eval", "--ckpt", run.path, "--engine", "fake", "--bench", "arithmetic", "--n", "2", "--json")
    assert [(r["step"], r["num_generated_now"]) for r in results_of(orz_bench(*arguments))] == [(10, 200), (20, 200)]
    (run.path / "checkpoints" / "step=000030" / "policy").mkdir(parents=True)
    again = [(r["step"], r["num_generated_now"]) for r in results_of(orz_bench(*arguments))]
    assert again == [(10, 0), (20, 0), (30, 200)]
    assert run.info()["kind"] == "train"
    assert not (run.path / "DONE").exists()
