"""SIGKILL at named points and the same command again: the rows are those of an unbroken run."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from orz_bench.records.run_dir import RunDir
from tests.support.command_line import orz_bench, results_of, rows_of, started
from tests.support.named_points import Point, arm, kill_at, send_to_this_process
from tests.support.tiny_model import a_tiny_checkpoint


def moves_a_part(source: Path, _target: Path) -> bool:
    return source.name.startswith(".part-")


RECORDER = "orz_bench.evaluation.recorder:Recorder"
PLACES = {
    "while it draws": Point(RECORDER, "add", 1),
    "before a part is written": Point("orz_bench.records.parquet", "write_part", 1),
    "when a temporary file is written but not moved": Point("pathlib:Path", "rename", 1, is_counted=moves_a_part),
    "when a part is in place": Point("pathlib:Path", "rename", 1, is_after=True, is_counted=moves_a_part),
}


def kills(arguments: tuple[str, ...], run: Path, *, points: list[Point]) -> list[int]:
    """Kill it once at every point, then let it finish; how many rows were on disk after each kill."""
    num_rows = []
    for point in points:
        process = started(*arguments, run, prepare=kill_at(point))
        _, errors = process.communicate(timeout=1000)
        assert process.returncode == -signal.SIGKILL, (point, errors)
        num_rows.append(len(rows_of(run)))
    orz_bench(*arguments, run)
    return num_rows


@pytest.mark.slow
def test_fake_engine_killed_at_every_point(tmp_path: Path) -> None:
    arguments = ("eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench", "arithmetic", "--n", "100", "--out")
    orz_bench(*arguments, tmp_path / "whole")
    points = [replace(point, at=at) for at, point in product((1, 2, 3), PLACES.values())]
    num_rows = kills(arguments, tmp_path / "killed", points=points)
    assert num_rows == sorted(num_rows), "rows were lost"
    assert len({count for count in num_rows if 0 < count < 10_000}) >= 5
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")
    assert len(rows_of(tmp_path / "killed")) == 10_000
    assert not list((tmp_path / "killed").rglob("*.tmp"))


@pytest.mark.slow
def test_transformers_engine_killed_at_every_point(tmp_path: Path) -> None:
    checkpoint = str(a_tiny_checkpoint(tmp_path / "m"))
    arguments: tuple[str, ...]
    arguments = ("eval", "--ckpt", checkpoint, "--engine", "transformers", "--bench", "arithmetic", "--n", "16")
    arguments += ("--limit", "50", "--template", "plain", "--max-tokens", "10", "--batch-size", "8", "--out")
    orz_bench(*arguments, tmp_path / "whole")
    num_rows = kills(arguments, tmp_path / "killed", points=list(PLACES.values()))
    assert len({count for count in num_rows if 0 < count < 800}) == 1
    assert rows_of(tmp_path / "killed") == rows_of(tmp_path / "whole")


def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    arguments: tuple[str, ...]
    arguments = ("eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench", "arithmetic", "--n", "64")
    arguments += ("--out", str(tmp_path))
    ctrl_c = partial(arm, Point(RECORDER, "add", 70), partial(send_to_this_process, signal.SIGINT))
    process = started(*arguments, prepare=ctrl_c)
    _, errors = process.communicate(timeout=1000)
    assert process.returncode == 130
    assert "Run the same command to resume" in errors
    assert "Traceback" not in errors
    kept = len(rows_of(tmp_path))
    assert 0 < kept < 6400
    (result,) = results_of(orz_bench(*arguments, "--json"))
    assert result["num_generated_now"] == 6400 - kept


def test_a_run_directory_with_several_checkpoints(tmp_path: Path) -> None:
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
