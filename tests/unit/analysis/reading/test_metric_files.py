"""Curves of other tools: fractional steps, names, plotted points; and columns that no figure draws are reported."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from analysis.curves.build import build_study
from analysis.curves.grouping import group_studies
from analysis.curves.study import Study
from analysis.figures.chosen import chosen_metrics
from analysis.reading.load import load_path
from analysis.reading.metric_files import by_step, curves_of
from analysis.report.build import write_report
from analysis.step_moment.find import find_breaks
from orz_bench.errors import ConfigError, DataError
from orz_bench.records.metric_names import metric_name, metric_names


def test_parts_of_epochs_stay_apart() -> None:
    (frame,) = curves_of([{"epoch": k / 10, "reward": k} for k in range(80)]).values()
    assert frame["step"].tolist() == pytest.approx([k / 10 for k in range(80)])
    assert find_breaks(frame["step"], frame["reward/mean"], metric="reward") == []


def test_whole_steps_are_whole_numbers() -> None:
    frame = by_step(pd.DataFrame({"step": [2.0, 1.0], "x": [1, 2]}))
    assert frame["step"].dtype == "int64"


@pytest.mark.parametrize("step", [math.inf, -math.inf, math.nan, "inf", None, "later"])
def test_a_step_that_is_not_a_number_is_skipped(step: object) -> None:
    rows: list[dict[str, object]] = [{"step": 1, "reward": 0.5}, {"step": step, "reward": 0.7}]
    (frame,) = curves_of(rows).values()
    assert frame.to_dict("list") == {"step": [1], "reward/mean": [0.5]}
    assert len(by_step(pd.DataFrame({"step": [step], "reward": [1.0]}))) == 0


def test_names_of_other_tools() -> None:
    assert metric_name("response_length/mean") == "response/length_mean"
    assert metric_name("Response Length During Training") == "response/length_mean"
    assert metric_name("time/total") == "time/total"
    # With the KL penalty, so it is another metric.
    assert metric_names(["critic/rewards/mean", "critic/score/mean"]) == {
        "critic/score/mean": "reward/mean",
        "critic/rewards/mean": "critic/rewards/mean",
    }
    # Two names of one metric: the first of the list has it, the other is not lost.
    assert metric_names(["reward/total", "env/all/reward/total"]) == {
        "env/all/reward/total": "reward/mean",
        "reward/total": "reward/total",
    }
    assert metric_names(["reward", "reward/mean"]) == {"reward/mean": "reward/mean", "reward": "reward"}


POINTS = [
    {"panel": "Reward During Training", "series": "lambda=1.0", "style": "raw", "x": 1, "y": 0.5, "flag": "ok"},
    {"panel": "Reward During Training", "series": "lambda=1.0", "style": "smoothed", "x": 1, "y": 0.9, "flag": "ok"},
    {"panel": "Reward During Training", "series": "lambda=1.0", "style": "raw", "x": 2, "y": 0.6, "flag": "clip_edge"},
    {"panel": "TRAINING", "series": "Response Length", "style": "raw", "x": 1, "y": 700, "flag": "ok"},
]


def test_plotted_points() -> None:
    frames = curves_of(POINTS)
    assert frames["lambda=1.0"].to_dict("list") == {"step": [1], "reward/mean": [0.5]}
    assert frames["TRAINING"].to_dict("list") == {"step": [1], "response/length_mean": [700.0]}


def _study(tmp_path: Path, header: str) -> Study:
    names = header.count(",")
    rows = "\n".join(f"{step}" + ",0.5" * names for step in range(5))
    (tmp_path / "x.csv").write_text(f"{header}\n{rows}\n")
    return build_study(load_path(tmp_path / "x.csv")[0])


def test_the_accuracy_is_drawn_without_a_reward(tmp_path: Path) -> None:
    written = write_report([_study(tmp_path, "step,accuracy")], tmp_path / "out")
    assert "training.png" in {path.name for path in written.files}
    assert not any("no figure shows" in text for text in written.left_out)


def test_a_report_names_the_columns_that_it_does_not_draw_and_draws_them_on_request(tmp_path: Path) -> None:
    studied = _study(tmp_path, "step,reward,lr,my/own")
    written = write_report([studied], tmp_path / "out")
    assert "x: no figure shows lr, my/own; draw them with --metrics lr,my/own" in written.left_out
    written = write_report([studied], tmp_path / "out", metrics=["lr", "my/own"])
    assert "metrics.png" in {path.name for path in written.files}
    assert not any("no figure shows" in text for text in written.left_out)


def test_curves_of_unknown_names_are_drawn(tmp_path: Path) -> None:
    """Three of nine published files of curves have no metric that a figure knows."""
    path = tmp_path / "x.csv"
    path.write_text("step,constant,aime2024,eval_loss\n1,5,0.1,2\n2,5,0.2,1\n")
    written = write_report([build_study(load_path(path)[0])], tmp_path / "out")
    assert {path.name for path in written.files} == {"metrics.png", "metrics.pdf", "metrics.csv"}
    assert "x: no figure shows constant; draw them with --metrics constant" in written.left_out
    drawn = pd.read_csv(tmp_path / "out" / "figures" / "metrics.csv")
    assert list(drawn["panel"].unique()) == ["eval_loss", "aime2024"]


def test_a_report_of_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no data for any figure of the report, and no curve that varies; .*--metrics"):
        write_report([_study(tmp_path, "step,lr")], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_chosen_metrics_are_checked(tmp_path: Path) -> None:
    groups = group_studies([_study(tmp_path, "step,reward,lr")])
    figure = chosen_metrics(groups, ["lr", "reward"])
    assert [panel.title for panel in figure.panels] == ["lr", "reward/mean"]
    with pytest.raises(ConfigError, match=r"'lrr'.*lr"):
        chosen_metrics(groups, ["lrr"])


def test_texts_among_numbers_are_unknown_and_whole_numbers_are_floats() -> None:
    found = by_step(pd.DataFrame({"note": ["a", None], "b": ["1.5", "x"], "c": [1, 2], "step": [1, 0]}))
    assert found.to_dict("list") == {"step": [0, 1], "b": [pytest.approx(float("nan"), nan_ok=True), 1.5], "c": [2, 1]}
    assert [str(kind) for kind in found.dtypes] == ["int64", "float64", "float64"]
