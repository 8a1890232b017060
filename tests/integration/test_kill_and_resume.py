"""SIGKILL at random moments and the same command again: the rows are those of an unbroken run."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.command_line import COMMAND, orz_bench, results_of, rows_of
from tests.support.tiny_model import a_tiny_checkpoint


def kill_again_and_again(arguments: list[str], run: Path, *, times: int, seed: int) -> list[int]:
    """Start and kill that many times, then let it finish; how many rows were on disk after each kill.

    A kill comes at a random moment after the start, or after the first new rows are on disk: while it loads, while it
    draws, while it writes.
    """
    rng = random.Random(seed)
    num_rows = []
    for _ in range(times):
        wanted = len(parts_of(run)) + rng.choice((0, 1, 1))
        process = subprocess.Popen(
            [*COMMAND, *arguments, str(run)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while len(parts_of(run)) < wanted and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.4))
        assert process.poll() is None, "it finished before it could be killed: this test needs a longer run"
        process.send_signal(signal.SIGKILL)
        process.wait()
        num_rows.append(len(rows_of(run)))
    orz_bench(*arguments, run)
    return num_rows


def parts_of(run: Path) -> list[Path]:
    return list(run.glob("evals/*/*/*/part-*.parquet"))


def test_fake_engine_killed_twenty_times(tmp_path: Path) -> None:
    arguments = ["eval", "--ckpt", "fake:0.6:0.04", "--engine", "fake", "--bench", "arithmetic", "--n", "200", "--out"]
    orz_bench(*arguments, tmp_path / "whole")
    num_rows = kill_again_and_again(arguments, tmp_path / "killed", times=20, seed=1)
    assert len({count for count in num_rows if 0 < count < 20_000}) >= 8, (
        "too few kills hit a run that had drawn something"
    )
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "killed")) == 20_000
    assert not list((tmp_path / "killed").rglob("*.tmp"))


@pytest.mark.slow
def test_transformers_engine_killed_again_and_again(tmp_path: Path) -> None:
    checkpoint = a_tiny_checkpoint(tmp_path / "m")
    arguments = ["eval", "--ckpt", str(checkpoint), "--engine", "transformers", "--bench", "arithmetic", "--n", "16"]
    arguments += ["--limit", "50", "--template", "plain", "--max-tokens", "100", "--batch-size", "8", "--out"]
    orz_bench(*arguments, tmp_path / "whole")
    num_rows = kill_again_and_again(arguments, tmp_path / "killed", times=3, seed=2)
    assert len({count for count in num_rows if 0 < count < 800}) >= 2, (
        "too few kills hit a run that had drawn something"
    )
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
    assert "Run the same command to resume" in errors
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
