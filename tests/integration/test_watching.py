"""orz-rl watch as a user runs it: ends, kills and resumes, and what reads the run while it is followed."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from app.queries.filters import Filters
from app.queries.questions import questions
from app.queries.rows import page
from app.queries.selection import select
from app.runs.curves import curves_of_responses, metric_names
from app.runs.folder import RunsFolder
from orz_bench.records.run_dir import RunDir
from tests.support import followed as made
from tests.support.app_runs import open_index
from tests.support.command_line import orz_bench, run_command
from tests.support.followed import Watched, contents, write
from tests.support.named_points import Point, arm, kill_at, send_to_this_process
from tests.support.training import orz_rl, started

NUM_STEPS = 12
QUICK = ("--every", "0.1")


def a_training(folder: Path, *, num_steps: int = NUM_STEPS, ended: bool = True) -> Path:
    steps = range(1, num_steps + 1)
    end = "Final validation metrics: None\n" if ended else ""
    write(folder / "train.log", "".join(map(made.verl_line, steps)) + end)
    for step in list(steps)[-NUM_STEPS:]:
        write(folder / f"rollouts/{step}.jsonl", made.verl_dump(step))
    write(folder / "validation/10.jsonl", made.verl_dump(10))
    return folder


def test_a_training_that_has_ended(tmp_path: Path) -> None:
    folder, out = a_training(tmp_path / "t"), tmp_path / "run"
    done = orz_rl("watch", folder, "--out", out, *QUICK)
    assert "following verl (rollouts in" in done.stderr
    assert done.stdout.strip() == f"12 rows of metrics and rollouts of 12 steps in {out}"
    run = RunDir(out)
    assert (run.state(), run.info()["kind"], run.info()["backend"]) == ("done", "train", "verl")
    before = contents(run)
    orz_rl("watch", folder, "--from", "verl", "--out", out, *QUICK)
    assert contents(run) == before


RUN_DIR = "orz_bench.records.run_dir:RunDir"
DUMPS = "orz_rl.backends.following.dumps"
MOMENTS = (
    Point(RUN_DIR, "write_metrics", 1),
    Point(RUN_DIR, "write_metrics", 1, is_after=True),
    Point(DUMPS, "replace_table", 2),
    Point(DUMPS, "replace_table", 2, is_after=True),  # the rollouts are there, the event is not
    Point("orz_bench.records.parquet", "_put_merged_in_place", 4),
    Point(RUN_DIR, "add_event", 2, is_after=True),
)
"""In the order in which a run comes to them, whatever is there already."""


def test_a_kill_at_every_point(tmp_path: Path) -> None:
    folder, out = a_training(tmp_path / "t"), tmp_path / "killed"
    num_rollouts = []
    for point in MOMENTS:
        process = started("watch", folder, "--out", out, *QUICK, prepare=kill_at(point))
        _, errors = process.communicate(timeout=1000)
        assert process.returncode == -signal.SIGKILL, (point, errors)
        num_rollouts.append(sum(step.read().num_rows for _, step in RunDir(out).sampled_steps()))
    assert num_rollouts == sorted(num_rollouts), "rollouts were lost"
    assert len(set(num_rollouts)) > 3
    orz_rl("watch", folder, "--out", out, *QUICK)
    assert RunDir(out).state() == "done"
    with Watched("verl", folder, tmp_path / "whole") as whole:
        assert contents(RunDir(out)) == contents(whole.rounds(is_last=True).run)


def test_ctrl_c(tmp_path: Path) -> None:
    folder, out = a_training(tmp_path / "t", ended=False), tmp_path / "run"
    point = Point("orz_bench.records.run_dir:RunDir", "add_event", 3, is_after=True)
    ctrl_c = partial(arm, point, partial(send_to_this_process, signal.SIGINT))
    process = started("watch", folder, "--out", out, *QUICK, prepare=ctrl_c)
    _, errors = process.communicate(timeout=1000)
    assert process.returncode == 130
    assert "Run the same command to resume" in errors
    run = RunDir(out)
    assert (out / "FAILED").read_text(encoding="utf-8") == "stopped by the user\n"
    assert [event["text"] for event in run.events("stopped")] == ["stopped by the user"]
    orz_rl("watch", folder, "--out", out, "--until-idle", "0.2", *QUICK)
    assert run.state() == "done"
    assert [row["step"] for row in run.metrics()[0]] == list(range(1, NUM_STEPS + 1))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--from", "trl"), "found verl (rollouts in"),
        (("--from", "vrl"), "--from vrl: unknown (did you mean 'verl'?)"),
        (("--also", "none"), "none: no such file or folder"),
    ],
)
def test_bad_input(tmp_path: Path, arguments: tuple[str, ...], text: str) -> None:
    folder = a_training(tmp_path / "t", num_steps=1)
    done = orz_rl("watch", folder, "--out", tmp_path / "run", *arguments, expect=2)
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_what_reads_a_run_while_it_is_followed(tmp_path: Path) -> None:
    folder, out = tmp_path / "t", tmp_path / "runs/live"
    with Watched("verl", a_training(folder, num_steps=70, ended=False), out) as watched:
        watched.rounds(2)
        assert watched.steps()[-1] == 70
        assert RunsFolder.at(out.parent).find("live").is_growing
        index = open_index(out)
        assert len(questions(index)) == 4
        rows = page(index, select(index, Filters()), offset=0, limit=500)
        assert len(rows) == NUM_STEPS * 4 + 4
        study = curves_of_responses(out)
        assert {"reward/mean", "response/length_mean", "accuracy/mean"} <= set(metric_names([study]))
        assert "response/length_mean" in run_command("analysis.cli", ("step-moment", out)).stdout
        assert "48" in run_command("analysis.cli", ("reflection", out)).stdout
        run_command("analysis.cli", ("report", out, "--out", tmp_path / "report"))
        assert "no finished evaluation" in orz_bench("report", out, expect=2).stderr
        write(folder / "rollouts/71.jsonl", made.verl_dump(71))
        write(folder / "train.log", made.verl_line(71) + made.verl_line(72))
        watched.rounds(2)
        index.refresh()
        assert len(page(index, select(index, Filters()), offset=0, limit=500)) == (NUM_STEPS + 1) * 4 + 4
