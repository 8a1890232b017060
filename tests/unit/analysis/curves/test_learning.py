from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from analysis.curves.bounded import with_boundaries
from analysis.curves.build import build_study
from analysis.curves.learning import benchmark_changes, change_of
from analysis.reading.load import load_path, load_small_files
from tests.support.builders import a_rollout
from tests.support.runs import a_run, add_evaluation


def test_a_clear_rise() -> None:
    rng = np.random.default_rng(1)
    steps = np.arange(1.0, 101.0)
    values = np.clip((steps - 30) / 20, 0, 1) + rng.normal(0, 0.02, 100)
    change = change_of(steps, values)
    assert change is not None
    assert change.first == pytest.approx(values[:10].mean())
    assert change.last == pytest.approx(values[-10:].mean())
    assert change.is_clear
    assert change.half_step == pytest.approx(40, abs=2)
    assert change.most_step == pytest.approx(48, abs=3)


def test_a_start_of_many_steps_is_not_blurred() -> None:
    values = np.clip(np.arange(1000.0) / 50, 0, 1)
    change = change_of(np.arange(1000.0), values)
    assert change is not None
    assert change.num_steps == 10
    assert change.first == pytest.approx(0.09)


def test_noise_is_not_a_change() -> None:
    change = change_of(np.arange(100.0), np.random.default_rng(3).normal(0, 1, 100))
    assert change is not None
    assert not change.is_clear
    assert change.half_step is None


def test_too_short() -> None:
    assert change_of(np.arange(5.0), np.array([1, 2, np.nan, np.nan, 3])) is None


def test_evaluations_are_compared_question_by_question(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=6)
    add_evaluation(run, step=2, fingerprint="ffffffffffff")
    loaded = load_path(run.path)[0]
    (one,) = benchmark_changes(loaded.evaluations)
    assert (one.benchmark, one.first_step, one.last_step, one.n) == ("arithmetic", 0, 6, 4)
    shares: dict[int, dict[str, list[bool]]] = {0: defaultdict(list), 6: defaultdict(list)}
    for evaluation in run.evaluations():
        for row in evaluation.read().to_pylist():
            if row["step"] in shares:
                shares[row["step"]][row["problem_id"]].append(row["verdict"] == "correct")
    means = {step: {name: sum(s) / len(s) for name, s in by_name.items()} for step, by_name in shares.items()}
    assert one.comparison.num_questions == 10
    assert one.comparison.average_a == pytest.approx(sum(means[0].values()) / 10)
    assert one.comparison.difference == pytest.approx(sum(means[6][name] - means[0][name] for name in means[0]) / 10)
    assert one.p_holm == one.comparison.p_value < 0.05


def test_evaluations_of_other_questions_are_not_compared(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=6)
    last = run.evaluation(benchmark="arithmetic", step=6, fingerprint="0123456789ab")
    last.replace([a_rollout(problem_id="another", step=6)])
    assert benchmark_changes(load_path(run.path)[0].evaluations) == []


@pytest.mark.parametrize("is_gone", [True, False])
def test_an_evaluation_that_has_lost_samples_is_not_compared(tmp_path: Path, is_gone: bool) -> None:
    """The questions that are left may be the easier ones: the last whole evaluation is compared, and that is said."""
    run = a_run(tmp_path / "x", num_steps=6)
    add_evaluation(run, step=3)
    [part] = (run.path / "evals" / "arithmetic").glob("step=*6/*/*.parquet")
    if is_gone:
        part.write_bytes(part.read_bytes()[:-20])
    else:
        pq.write_table(pq.read_table(part, partitioning=None).slice(0, 14), part)
    loaded = load_path(run.path)[0]
    (one,) = benchmark_changes(loaded.evaluations)
    assert (one.first_step, one.last_step) == (0, 3)
    lost = 40 if is_gone else 26
    assert any(f"the first: arithmetic, step 6 ({lost} lost)" in note for note in loaded.notes)
    (boundary,) = with_boundaries(build_study(loaded)).boundaries
    assert boundary.run == "step 3"
    if not is_gone:
        small = with_boundaries(build_study(load_small_files(run.path)))
        assert small.boundaries == ()
        assert any(note.startswith("no boundary of arithmetic, step 6: 26 samples are") for note in small.run.notes)
