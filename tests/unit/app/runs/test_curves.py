"""Curves of the page Training, against the rows of metrics.jsonl."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run
from analysis.step_moment.breaks import Break
from app.runs.curves import (
    MAX_POINTS,
    about,
    curves,
    curves_of_responses,
    curves_of_run,
    marks,
    metric_names,
    nearest_step,
)
from tests.support.runs import a_run


def _study(name: str = "x", **metrics: Any) -> Study:
    steps = pd.DataFrame(metrics)
    run = Run(name=name, path=Path(name), kind="train", metrics=steps)
    return Study(run=run, steps=steps, scores=scores_of([]))


def test_a_curve_is_what_the_file_says(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=5)
    rows = [json.loads(line) for line in run.metrics_path.read_text().splitlines()]
    found = curves([curves_of_run(run.path)], "reward/mean", window=3)
    values = [row["reward/mean"] for row in rows]
    assert found["step"].tolist() == [1, 2, 3, 4, 5]
    assert found["value"].tolist() == pytest.approx(values)
    means = [np.nan, *(sum(values[at - 1 : at + 2]) / 3 for at in (1, 2, 3)), np.nan]
    assert found["smooth"].tolist() == pytest.approx(means, nan_ok=True)


def test_metrics_in_the_catalogues_order_then_by_name() -> None:
    steps: dict[str, Any] = {"step": [1], "zeta": [1.0], "policy/entropy": [1.0], "reward/mean": [1.0], "alpha": [1.0]}
    assert metric_names([_study(**steps)]) == ["reward/mean", "policy/entropy", "alpha", "zeta"]


def test_unknown_values_are_absent_and_runs_without_the_metric_too() -> None:
    a = _study("a", step=[1, 2, 3], loss=[1.0, np.nan, 3.0])
    found = curves([a, _study("b", step=[1])], "loss")
    assert list(zip(found["run"], found["step"], found["value"], strict=True)) == [("a", 1, 1.0), ("a", 3, 3.0)]
    assert curves([], "loss").columns.tolist() == ["run", "step", "value", "smooth"]


def test_a_long_curve_is_thinned_and_keeps_its_extremes() -> None:
    values = np.sin(np.arange(20_000) / 50)
    values[1234], values[17_001] = 9, -9
    found = curves([_study(step=np.arange(20_000), m=values)], "m")
    assert len(found) <= MAX_POINTS + 1
    assert (found["value"].max(), found["value"].min()) == (9, -9)
    assert found["step"].is_monotonic_increasing
    assert found["step"].iloc[-1] == 19_999


def test_marks_are_those_of_the_study() -> None:
    mark = Break(metric="reward/mean", step=30, low=28, high=33, kind="level", size=0.25, p_value=0.004, rebound=False)
    study = replace(_study("a", step=[1], m=[1.0]), breaks={"m": (mark,)})
    found = marks([study, _study("b", step=[1])], "m")
    assert found[["run", "step", "low", "high"]].to_numpy().tolist() == [["a", 30, 28, 33]]
    assert found["text"][0] == "level break at 30 (28 to 33), size 0.25, p = 0.004"
    assert marks([study], "other").empty


def test_responses_tell_what_the_metrics_file_lacks(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=3)
    run.metrics_path.unlink()
    assert metric_names([curves_of_run(run.path)]) == []
    assert {"reward/mean", "reflection/rate"} <= set(metric_names([curves_of_responses(run.path)]))


def test_a_metric_is_explained() -> None:
    assert (about("response/clip_rate").unit, about("response/clip_rate").arrow) == ("share", "↓")
    assert about("response/length_mean", length_unit="characters").unit == "characters"
    assert about("tokens/total", length_unit="characters").unit == "tokens"
    assert "catalogue" in about("mine").meaning


def test_a_click_finds_the_nearest_step() -> None:
    assert nearest_step(_study(step=[10, 20, 40]), 29) == 20
    assert nearest_step(_study(step=[]), 29) is None
