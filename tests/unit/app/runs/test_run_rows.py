"""The table of runs: its numbers are those of the files, and a broken run has a row that says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from app.runs.folder import RunsFolder
from app.runs.run_rows import last_results, run_row, runs_table, score_text, stamp_of, thinned
from tests.support.builders import a_result, a_summary
from tests.support.runs import a_run, add_evaluation


def test_a_row_holds_what_the_files_say(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=6)
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    row = run_row(run.path)
    assert (row.kind, row.step, row.num_steps, row.seed, row.num_warnings) == ("training", 6, 6, 42, 1)
    assert row.spark == pytest.approx([one["reward/mean"] for one in rows])
    assert [(one.benchmark, one.step) for one in row.scores] == [("arithmetic", 6)]


def test_a_broken_run_has_a_row(tmp_path: Path) -> None:
    a_run(tmp_path / "good", num_steps=2)
    a_run(tmp_path / "torn", num_steps=2).run_path.write_text("{")
    a_run(tmp_path / "newer", num_steps=2).run_path.write_text('{"schema_version": 99}')
    entries = RunsFolder.at(tmp_path).runs()
    table = runs_table(entries, [run_row(entry.path) for entry in entries]).set_index("name")
    notes = table["note"].to_dict()
    assert table["state"].to_dict() == {"good": "finished", "torn": "unreadable", "newer": "unreadable"}
    assert "not readable as JSON" in notes["torn"]
    assert "upgrade" in notes["newer"]


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.metrics_path.unlink()
    for path in sorted(run.path.glob("evals/*/*/*/*")):
        path.unlink()
    assert run_row(run.path).step is None
    table = runs_table(RunsFolder.at(tmp_path).runs(), [run_row(run.path)])
    assert list(table["steps"]) == ["–"]
    assert table["reward"][0] is None


def test_the_stamp_changes_with_the_files(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=2)
    before = stamp_of(run.path)
    assert stamp_of(run.path) == before
    with run.metrics_path.open("a") as file:
        file.write('{"step": 3}\n')
    grown = stamp_of(run.path)
    add_evaluation(run, step=1)
    assert len({before, grown, stamp_of(run.path)}) == 3


def test_both_errors_are_shown_and_an_unknown_one_is_not_zero() -> None:
    facts = {"avg_at_n": 0.4812, "num_problems": 30, "num_samples": 480, "n": 16}
    known = a_result(summary=a_summary(**facts, se_question=0.0771, se_sampling=0.0149))
    assert score_text(known) == "48.1 (± 15.3; ± 3.0)"
    none = a_result(summary=a_summary(**facts | {"avg_at_n": 0.0}, se_question=0.0, se_sampling=0.0))
    assert score_text(none) == "0.0 (0.0 to 10.5; 0.0 to 0.7)"
    assert score_text(a_result(summary=a_summary(**facts, se_question=None, se_sampling=None))) == "48.1 (–; –)"


def test_the_last_result_is_of_the_last_step_and_the_most_questions() -> None:
    few = a_result(step=4, fingerprint="a")
    many = a_result(step=4, fingerprint="b", summary=a_summary(num_problems=30))
    assert last_results([many, few, a_result(step=2, summary=a_summary(num_problems=99))]) == [many]


def test_a_sparkline_keeps_the_mean_and_leaves_out_what_is_unknown() -> None:
    values = np.arange(1000.0)
    assert len(thinned(values, 40)) == 40
    assert np.mean(thinned(values, 40)) == pytest.approx(values.mean())
    assert thinned(np.array([1.0, np.nan, 3.0])) == (1.0, 3.0)
