"""Experiments beside one another, by hand: where each quantity begins and ends, and between which values."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from analysis.curves.compare import Ends, compared, comparison_table
from analysis.curves.grouping import group_studies
from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run

STEPS = range(1, 31)


def a_study(name: str, *, seed: int, shift: float = 0.0, scores: list[tuple[int, float, float]] | None = None) -> Study:
    """Thirty steps whose reward is the step (and the shift); evaluations as (step, accuracy, half a width)."""
    frame = pd.DataFrame({"step": STEPS, "reward/mean": [step + shift for step in STEPS]})
    run = Run(name=name, path=Path(name), kind="train", seed=seed, config={"advantage": {"lam": 1.0}}, metrics=frame)
    if scores is None:
        return Study(run=run, steps=frame, scores=scores_of([]))
    table = pd.DataFrame([(step, accuracy, accuracy - half, accuracy + half) for step, accuracy, half in scores])
    table.columns = ["step", "accuracy", "low", "high"]
    evaluated = table.assign(benchmark="aime24", fingerprint="aa", num_problems=30, error=0.01, n=4, length=9.0)
    return Study(run=run, steps=frame, scores=evaluated)


def ends_of(*studies: Study) -> dict[str, Ends]:
    (experiment,) = compared(group_studies(list(studies)))
    return {ends.name: ends for ends in experiment.quantities}


def test_a_curve_begins_and_ends_with_the_means_of_its_tenths() -> None:
    assert ends_of(a_study("a", seed=1)) == {
        "reward/mean": Ends(name="reward/mean", first=2.0, last=29.0, low=None, high=None)
    }


def test_seeds_give_the_lowest_and_the_highest_at_the_end() -> None:
    found = ends_of(a_study("a", seed=1), a_study("b", seed=2, shift=3.0))["reward/mean"]
    assert (found.first, found.last, found.low, found.high) == (3.5, 30.5, 29.0, 32.0)


def test_scores_begin_with_the_first_checkpoint_and_end_with_the_last() -> None:
    scores = [(0, 0.1, 0.05), (10, 0.9, 0.05), (20, 0.4, 0.05)]
    found = ends_of(a_study("a", seed=1, scores=scores))["aime24"]
    assert (found.first, found.last) == (0.1, 0.4)
    assert [found.low, found.high] == pytest.approx([0.35, 0.45])


def test_an_interval_without_a_width_is_unknown() -> None:
    found = ends_of(a_study("a", seed=1, scores=[(0, 0.1, 0.05), (20, 0.4, 0.0)]))["aime24"]
    assert (found.last, found.low, found.high) == (0.4, None, None)


def test_experiments_know_their_runs_seeds_and_the_last_step_of_all() -> None:
    studies = [a_study("a", seed=1), a_study("b", seed=2)]
    short = studies[1].steps[studies[1].steps["step"] <= 20]
    (experiment,) = compared(group_studies([studies[0], Study(run=studies[1].run, steps=short, scores=scores_of([]))]))
    assert (experiment.runs, experiment.seeds, experiment.last_step) == (("a", "b"), (1, 2), 20)
    assert experiment.to_json()["quantities"][0]["name"] == "reward/mean"
    empty = Study(run=studies[0].run, steps=studies[0].steps[:0], scores=scores_of([]))
    (experiment,) = compared(group_studies([empty]))
    assert (experiment.last_step, experiment.quantities) == (None, ())


def test_a_curve_of_fewer_than_four_steps_has_no_ends() -> None:
    study = a_study("a", seed=1)
    for num_steps, wanted in ((3, set()), (4, {"reward/mean"})):
        short = Study(run=study.run, steps=study.steps[:num_steps], scores=scores_of([]))
        assert set(ends_of(short)) == wanted


def test_the_table_names_a_quantity_once_and_shows_what_is_unknown_as_a_dash() -> None:
    console = Console(width=120, record=True, file=None, quiet=False)
    experiments = compared(group_studies([a_study("a", seed=1), a_study("b", seed=2, shift=3.0)]))
    experiments += compared(group_studies([a_study("c", seed=3)]))
    with console.capture() as captured:
        console.print(comparison_table(experiments))
    rows = [line.split() for line in captured.get().splitlines() if "30" in line.split()]
    assert rows[0][0] == "reward/mean"
    assert rows[0][-6:] == ["30", "3.5", "30.5", "29", "to", "32"]
    assert rows[1][-4:] == ["30", "2", "29", "–"]
    assert "reward/mean" not in rows[1]
    assert rows[0][-8:-6] == ["1,", "2"]
    assert rows[1][-5] == "3"
