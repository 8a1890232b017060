"""metrics.jsonl when a run is resumed: duplicate, lost or torn rows are reported and repaired."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orz_bench.errors import RunDirError
from orz_bench.records.run_dir import RunDir
from orz_rl.training.metrics_file import rewind_metrics
from tests.support.runs import a_run


def lines_of(run: RunDir) -> list[str]:
    return run.metrics_path.read_text(encoding="utf-8").splitlines()


def learned_run(folder: Path, num_steps: int = 4) -> RunDir:
    """A run whose rollouts have advantages, as after learning."""
    from dataclasses import replace

    from orz_bench.records.parquet import rollouts_from_table

    run = a_run(folder, num_steps=num_steps)
    for step, rollouts in run.sampled_steps():
        rows = rollouts_from_table(rollouts.read())
        rollouts.replace([replace(row, advantage=0.5, policy_version=step - 1) for row in rows])
    return run


def test_rows_after_the_checkpoint_go_with_a_torn_line(tmp_path: Path) -> None:
    run = learned_run(tmp_path)
    before = lines_of(run)
    with run.metrics_path.open("a") as file:
        file.write('{"step": 5, "rew')
    assert [row["step"] for row in rewind_metrics(run, 2, notice=pytest.fail)] == [1, 2]
    assert lines_of(run) == before[:2]


def test_of_a_doubled_row_the_last_stays(tmp_path: Path) -> None:
    run = learned_run(tmp_path)
    before = lines_of(run)
    run.metrics_path.write_text("\n".join([before[0], '{"step": 2, "reward/mean": 9}', *before[1:], before[3]]) + "\n")
    heard: list[str] = []
    rewind_metrics(run, 3, notice=heard.append)
    assert lines_of(run) == before[:3]
    assert "found 1 duplicate row;" in heard[0]


@pytest.mark.parametrize("torn", [False, True])
def test_a_lost_row_is_written_again_from_its_rollouts(tmp_path: Path, torn: bool) -> None:
    run = learned_run(tmp_path)
    before = lines_of(run)
    run.metrics_path.write_text("\n".join([before[0], *([before[1][:30]] if torn else []), *before[2:]]) + "\n")
    heard: list[str] = []
    rows = rewind_metrics(run, 4, notice=heard.append)
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    whole = json.loads(before[1])
    for name in ("reward/mean", "accuracy/mean", "response/length_mean", "response/clip_rate"):
        assert rows[1][name] == whole[name]
    assert rows[1]["policy_version"] == 1
    assert "policy/entropy" not in rows[1]
    assert "rows are missing or torn (steps 2)" in heard[0]
    assert [json.loads(line) for line in lines_of(run)] == rows
    assert rewind_metrics(run, 4, notice=pytest.fail) == rows


def test_a_row_whose_rollouts_are_lost_too_is_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path, num_steps=3)
    run.metrics_path.unlink()
    with pytest.raises(RunDirError, match=r"the row of step 1 is missing.*Restore"):
        rewind_metrics(run, 3, notice=lambda _: None)


def test_a_run_without_steps_has_no_rows(tmp_path: Path) -> None:
    assert rewind_metrics(RunDir(tmp_path), 0, notice=pytest.fail) == []
    assert not (tmp_path / "metrics.jsonl").exists()


def test_rows_are_appended_and_replaced(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    rows = [{"step": 1, "reward/mean": 0.5}, {"step": 2, "reward/mean": 0.25}]
    for row in rows:
        run.append_metrics(row)
    assert run.metrics() == (rows, 0)
    run.write_metrics(rows[:1])
    assert run.metrics() == (rows[:1], 0)
