from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.curves.build import build_study
from analysis.curves.compare import compared
from analysis.curves.grouping import group_studies
from analysis.curves.study import Study, scores_of
from analysis.figures.benchmarks import benchmarks
from analysis.reading.load import Run, load_path
from analysis.report.tables import result_table
from tests.support.runs import a_run, add_evaluation


def _studies(folder: Path, **runs: tuple[int, dict[str, object]]) -> list[Study]:
    for name, (seed, changes) in runs.items():
        a_run(folder / name, num_steps=3, seed=seed, changes=changes)
    return [build_study(load_path(folder / name)[0]) for name in runs]


def test_seeds_are_one_group_and_the_difference_is_the_label(tmp_path: Path) -> None:
    groups = group_studies(
        _studies(tmp_path, a=(1, {}), b=(1, {"advantage.lam": 0.95}), c=(2, {}), d=(3, {"logging.tensorboard": False}))
    )
    assert [(group.label, [s.run.name for s in group.studies]) for group in groups] == [
        ("lam=1.0", ["a", "c", "d"]),
        ("lam=0.95", ["b"]),
    ]


def test_the_same_run_twice_is_not_a_replicate(tmp_path: Path) -> None:
    groups = group_studies(_studies(tmp_path, a=(1, {}), b=(1, {})))
    assert [group.label for group in groups] == ["a", "b"]


def test_more_steps_are_the_same_experiment(tmp_path: Path) -> None:
    groups = group_studies(_studies(tmp_path, a=(1, {}), b=(2, {"num_steps": 99})))
    assert len(groups) == 1


def test_files_are_labelled_by_name() -> None:
    frame = pd.DataFrame({"step": [1], "reward/mean": [0.5]})
    runs = [Run(name=name, path=Path(name), kind="file", metrics=frame) for name in ("x", "y")]
    groups = group_studies([Study(run=run, steps=run.metrics, scores=scores_of([])) for run in runs])
    assert [group.label for group in groups] == ["x", "y"]


def test_curves_and_scores_of_seeds(tmp_path: Path) -> None:
    (group,) = group_studies(_studies(tmp_path, a=(1, {}), b=(2, {})))
    curve = group.curve("reward/mean")
    assert curve is not None
    assert curve.low is not None
    first, second = (s.steps["reward/mean"].to_numpy() for s in group.studies)
    assert curve.values.tolist() == ((first + second) / 2).tolist()
    assert curve.low.tolist() == [min(pair) for pair in zip(first, second, strict=True)]
    (line,) = group.score_lines("arithmetic")
    table = line.table
    accuracies = [s.scores.set_index("step")["accuracy"] for s in group.studies]
    assert table["step"].to_list() == [0, 3]
    assert table["accuracy"].to_list() == ((accuracies[0] + accuracies[1]) / 2).to_list()
    assert table["error"].isna().all()
    assert group.score_lines("absent") == []
    assert group.curve("absent") is None


def test_protocols_are_never_joined(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=3)
    add_evaluation(run, step=1, fingerprint="ffffffffffff")
    (group,) = group_studies([build_study(load_path(run.path)[0])])
    (line,) = group.score_lines("arithmetic")
    assert line.table["step"].to_list() == [0, 3]
    figure = benchmarks([group])
    assert "not shown: 1 evaluation under a protocol other than the run's main one." in figure.caption


def _scored(name: str, seed: int, rows: list[tuple[int, str, int, float]]) -> Study:
    run = Run(name=name, path=Path(name), kind="train", seed=seed, config={"advantage": {"lam": 1.0}})
    frame = pd.DataFrame(rows, columns=["step", "fingerprint", "num_problems", "accuracy"])
    scores = frame.assign(
        benchmark="aime24", error=0.01, n=4, length=9.0, low=frame["accuracy"] - 0.02, high=frame["accuracy"] + 0.02
    )
    return Study(run=run, steps=run.metrics, scores=scores)


@pytest.mark.parametrize(
    ("other", "num_problems", "labels"),
    [("aa", 30, ["a"]), ("bb", 30, ["a", "b"]), ("aa", 10, ["a", "b"])],
)
def test_seeds_under_different_protocols_are_separate_lines(other: str, num_problems: int, labels: list[str]) -> None:
    first = _scored("a", 1, [(0, "aa", 30, 0.1), (5, "aa", 30, 0.2)])
    second = _scored("b", 2, [(0, other, num_problems, 0.3), (5, other, num_problems, 0.6)])
    (group,) = group_studies([first, second])
    lines = group.score_lines("aime24")
    assert [line.label for line in lines] == labels
    means = [line.table["accuracy"].round(9).to_list() for line in lines]
    assert means == ([[0.2, 0.4]] if len(labels) == 1 else [[0.1, 0.2], [0.3, 0.6]])
    figure = benchmarks([group])
    assert [series.label for series in figure.panels[0].series] == labels
    assert len({series.slot for series in figure.panels[0].series}) == len(labels)
    assert ("evaluated under different protocols and are separate lines" in figure.caption) == (len(labels) == 2)
    table = result_table([group])
    assert table is not None
    assert [row[0] for row in table.rows if "step 5" in row[0]] == [f"{label}, step 5" for label in labels]
    names = [ends.name for experiment in compared([group]) for ends in experiment.quantities]
    assert names == (["aime24"] if len(labels) == 1 else ["aime24 (a)", "aime24 (b)"])


def test_a_protocol_that_runs_share_goes_before_one_with_more_steps() -> None:
    first = _scored("a", 1, [(0, "aa", 30, 0.1), (5, "aa", 30, 0.2), (0, "bb", 30, 0.1)])
    second = _scored("b", 2, [(0, "bb", 30, 0.3)])
    (group,) = group_studies([first, second])
    (line,) = group.score_lines("aime24")
    assert line.table["accuracy"].to_list() == [0.2]
