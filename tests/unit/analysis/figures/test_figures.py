"""Every figure on synthetic runs: plotted values equal those of the runs, and missing data are reported."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.curves.build import build_study, default_lexicon
from analysis.curves.grouping import group_studies
from analysis.curves.study import Group, Study, scores_of
from analysis.figures.panels import MissingDataError
from analysis.figures.registry import FIGURES, get_figure
from analysis.figures.spec import FigureSpec, rows
from analysis.reading.load import Run, load_path
from analysis.step_moment.breaks import Break
from orz_bench.errors import ConfigError
from tests.support.runs import a_run


def _groups(folder: Path, changes: Sequence[dict[str, object]] = ({},), *, seeds: int = 1) -> list[Group]:
    runs = [
        a_run(folder / f"run{number}-{seed}", num_steps=5, seed=seed, changes=change)
        for number, change in enumerate(changes)
        for seed in range(seeds)
    ]
    lexicon = default_lexicon() if len(runs) == 1 else None
    return group_studies([build_study(load_path(run.path)[0], lexicon=lexicon) for run in runs])


def _series(spec: FigureSpec, panel: str) -> pd.DataFrame:
    table = rows(spec)
    return table[table["panel"] == panel]


def test_training_plots_metrics_as_they_are(tmp_path: Path) -> None:
    spec = get_figure("training").make(_groups(tmp_path))
    written = [json.loads(line) for line in (tmp_path / "run0-0" / "metrics.jsonl").read_text().splitlines()]
    reward = _series(spec, "Training reward")
    assert reward["step"].to_list() == [1, 2, 3, 4, 5]
    assert reward["value"].to_list() == [row["reward/mean"] for row in written]
    assert "low" not in reward
    assert "seed 0" in spec.caption
    assert "Steps 1 to 5" in spec.caption


def test_seeds_become_a_band(tmp_path: Path) -> None:
    spec = get_figure("training").make(_groups(tmp_path, seeds=3))
    table = _series(spec, "Response length")
    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert table["series"].nunique() == 1
    assert "lowest to highest of 3" in spec.caption


def test_long_curves_are_smoothed_with_the_raw_line_kept() -> None:
    steps = np.arange(100)
    frame = pd.DataFrame({"step": steps, "reward/mean": steps / 100, "response/length_mean": steps * 1.0})
    groups = [_file_group("x", frame)]
    spec = get_figure("training").make(groups)
    table = rows(spec)
    assert table["smoothed"].isna().sum() == 2 * 2 * 2  # half a window at both ends of both curves
    assert "centred mean over 5 points" in spec.caption


def _file_group(name: str, frame: pd.DataFrame) -> Group:
    run = Run(name=name, path=Path(name), kind="file", metrics=frame)
    return Group(label=name, studies=(Study(run=run, steps=frame, scores=scores_of([])),))


def test_benchmarks_show_error_bars_and_published_figures(tmp_path: Path) -> None:
    groups = _groups(tmp_path)
    spec = get_figure("benchmarks").make(groups)
    (result, _) = groups[0].studies[0].run.results
    table = rows(spec)
    summary = result.summary
    assert summary.question is not None
    assert summary.sampling is not None
    widest = max(summary.question, summary.sampling, key=lambda one: one.high - one.low)
    assert table["value"][0] == summary.avg_at_n
    assert (table["low"][0], table["high"][0]) == (widest.low, widest.high)
    assert spec.panels[0].y_label == "avg@4"
    assert "95 % intervals" in spec.caption


def test_published_results_are_drawn_for_a_known_benchmark(tmp_path: Path) -> None:
    frame = pd.DataFrame({"step": [1], "reward/mean": [0.5]})
    run = Run(name="x", path=Path("x"), kind="file", metrics=frame)
    scores = pd.DataFrame(
        [{"benchmark": "aime24", "step": 1, "fingerprint": "", "accuracy": 0.2, "n": 16, "num_problems": 30}]
    ).assign(error=0.05, low=0.1, high=0.32, length=100.0)
    spec = get_figure("benchmarks").make([Group(label="x", studies=(Study(run=run, steps=frame, scores=scores),))])
    assert {reference.label for reference in spec.panels[0].references} >= {
        "ORZ-7B (A Sober Look (2504.07086))",
        "ORZ-32B",
    }
    assert pytest.approx(0.481) in rows(spec)["value"].to_list()
    assert "published" in spec.caption


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("lambda", {"advantage.lam": 0.95}),
        ("kl", {"loss.kl_loss": 0.1}),
        ("data-scale", {"data.limit": 1000}),
        ("curation", {"data.language": "english"}),
        ("batch", {"optim.policy_updates": 4}),
        ("lambda-kl", {"advantage.lam": 0.95, "loss.kl_loss": 0.1}),
        ("sampling", {"rollout.temperature": 0.6}),
        ("comparison", {"optim.policy_lr": 1.0}),
    ],
)
def test_ablations(tmp_path: Path, name: str, change: dict[str, object]) -> None:
    spec = get_figure(name).make(_groups(tmp_path, [{}, change], seeds=2))
    assert [panel.title for panel in spec.panels] == ["Training reward", "Response length", "arithmetic: accuracy"]
    labels = list(dict.fromkeys(series.label for series in spec.panels[0].series))
    assert len(labels) == 2
    for leaf, value in change.items():
        assert f"{leaf.rpartition('.')[2]}={value}" in labels[1]


@pytest.mark.parametrize("name", ["lambda", "kl", "data-scale", "curation", "batch", "lambda-kl", "sampling"])
def test_an_ablation_refuses_runs_that_differ_in_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingDataError, match=r"differ in optim\.policy_lr; name runs that differ in"):
        get_figure(name).make(_groups(tmp_path, [{}, {"optim.policy_lr": 1.0}]))


def test_files_may_stand_in_any_ablation() -> None:
    frame = pd.DataFrame({"step": [1, 2], "reward/mean": [0.1, 0.5]})
    spec = get_figure("kl").make([_file_group("a", frame), _file_group("b", frame)])
    assert len(spec.panels[0].series) == 2


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_missing_is_said(name: str) -> None:
    with pytest.raises(MissingDataError, match="name"):
        get_figure(name).make([_file_group("x", pd.DataFrame({"step": [1]}))])


@pytest.mark.parametrize("name", ["training", "format", "accuracy-length", "reflection", "lengths", "health"])
def test_figures_of_one_run(tmp_path: Path, name: str) -> None:
    spec = get_figure(name).make(_groups(tmp_path))
    table = rows(spec)
    assert len(spec.panels) >= 1
    assert np.isfinite(table["value"]).all()
    assert all(panel.y_label for panel in spec.panels)


def test_reflection_counts_as_the_texts_say(tmp_path: Path) -> None:
    spec = get_figure("reflection").make(_groups(tmp_path))
    run = load_path(tmp_path / "run0-0")[0]
    assert run.rollouts is not None
    texts = pd.concat(run.rollouts.batches())
    reflects = texts["completion"].str.contains("wait,", regex=False)
    expected = reflects.groupby(texts["step"]).mean()
    assert _series(spec, "Reflection rate")["value"].to_list() == expected.to_list()
    both = texts[reflects & (texts["verdict"] == "correct")].groupby("step")["num_tokens"].mean()
    lengths = _series(spec, "Length: all, and right reflecting")
    shown = lengths[lengths["series"].str.endswith("right and reflecting")].set_index("step")["value"]
    assert shown.to_dict() == both.to_dict()
    assert "orz-code" in spec.caption


def test_marks_are_explained_in_the_caption() -> None:
    frame = pd.DataFrame({"step": range(100), "reward/mean": np.linspace(0, 1, 100)})
    mark = Break(metric="reward/mean", step=40, low=38, high=42, kind="level", size=0.2, p_value=0.01, rebound=False)
    run = Run(name="x", path=Path("x"), kind="file", metrics=frame)
    marked = Study(run=run, steps=frame, scores=scores_of([]), breaks={"reward/mean": (mark,)})
    spec = get_figure("training").make([Group(label="x", studies=(marked,))])
    assert spec.panels[0].series[0].marks == (mark,)
    assert "step moments" in spec.caption


def test_an_unknown_figure() -> None:
    with pytest.raises(ConfigError, match="did you mean 'training'"):
        get_figure("traning")
