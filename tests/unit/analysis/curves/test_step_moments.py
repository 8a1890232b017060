"""Curves of a run go to the detector and come back as marks and records; how breaks are found is tested elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.curves.step_moments import chosen_metrics, step_moments_of, step_moments_table, with_step_moments
from analysis.curves.study import Study, scores_of
from analysis.reading.load import Run, load_path, one_of
from orz_bench.errors import ConfigError, DataError


def _study(**columns: np.ndarray) -> Study:
    size = len(next(iter(columns.values())))
    frame = pd.DataFrame({"step": np.arange(size)} | {name.replace("__", "/"): v for name, v in columns.items()})
    run = Run(name="x", path=Path("x"), kind="file", metrics=frame)
    return Study(run=run, steps=frame, scores=scores_of([]))


def _jump(size: int, at: int) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 0.1, size)
    return np.asarray(noise + 3.0 * (np.arange(size) >= at))


def test_a_jump_is_a_mark_and_a_record() -> None:
    study = _study(reward__mean=_jump(200, 120), response__length_mean=np.random.default_rng(1).normal(0, 1, 200))
    moments = step_moments_of(study, ["reward/mean", "response/length_mean"])
    (record,) = [one for one in moments.to_json()["breaks"] if one["metric"] == "reward/mean"]
    assert set(record) == {"metric", "step", "low", "high", "kind", "size", "p_value", "rebound"}
    assert record["step"] == pytest.approx(120, abs=3)
    assert record["low"] <= record["step"] <= record["high"]
    assert record["size"] == pytest.approx(3, abs=0.5)
    marked = with_step_moments(study)
    assert list(marked.breaks) == ["reward/mean", "response/length_mean"]
    (mark,) = marked.breaks["reward/mean"]
    assert (mark.step, mark.kind, mark.rebound) == (record["step"], "level", record["rebound"])
    assert step_moments_table(moments).row_count == len(moments.breaks)


def test_short_curves_are_not_judged() -> None:
    study = _study(reward__mean=_jump(40, 20))
    moments = step_moments_of(study)
    assert moments.to_json() == {"breaks": [], "joint": []}
    assert moments.too_short == ("reward/mean",)
    assert with_step_moments(study).breaks == {}


def test_metrics_by_their_short_names() -> None:
    study = _study(reward__mean=np.zeros(5), response__length_mean=np.zeros(5))
    assert chosen_metrics(study, None) == ["reward/mean", "response/length_mean"]
    assert chosen_metrics(study, "response_length, avg_raw_rewards") == ["response/length_mean", "reward/mean"]
    with pytest.raises(ConfigError, match=r"no metric reward/men \(did you mean 'reward/mean'\?\); it has"):
        chosen_metrics(study, "reward/men")
    with pytest.raises(ConfigError, match="it has something"):
        chosen_metrics(_study(something=np.zeros(5)), None)


def test_one_run_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("run,step,reward\na,1,0.5\nb,1,0.7\n")
    runs = load_path(path)
    assert one_of(runs, "b").name == "b"
    with pytest.raises(DataError, match="holds the runs a, b"):
        one_of(runs, None)
