from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.grouping import group_studies
from analysis.load import Run, load_path
from analysis.study import Study, scores_of
from analysis.studying import study
from tests.runs import a_run, add_evaluation


def _studies(folder: Path, **runs: tuple[int, dict[str, object]]) -> list[Study]:
    for name, (seed, changes) in runs.items():
        a_run(folder / name, num_steps=3, seed=seed, changes=changes)
    return [study(load_path(folder / name)[0]) for name in runs]


def test_seeds_are_one_group_and_the_difference_is_the_label(tmp_path: Path) -> None:
    groups = group_studies(
        _studies(tmp_path, a=(1, {}), b=(1, {"advantage.lam": 0.95}), c=(2, {}), d=(3, {"logging.tensorboard": False}))
    )
    assert [(group.label, [s.run.name for s in group.studies]) for group in groups] == [
        ("lam=1.0", ["a", "c", "d"]),
        ("lam=0.95", ["b"]),
    ]


def test_the_same_run_twice_is_no_replicate(tmp_path: Path) -> None:
    groups = group_studies(_studies(tmp_path, a=(1, {}), b=(1, {})))
    assert [group.label for group in groups] == ["a", "b"]


def test_more_steps_are_the_same_experiment(tmp_path: Path) -> None:
    groups = group_studies(_studies(tmp_path, a=(1, {}), b=(2, {"num_steps": 99})))
    assert len(groups) == 1


def test_files_are_told_apart_by_name() -> None:
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
    table = group.scores("arithmetic")
    accuracies = [s.scores.set_index("step")["accuracy"] for s in group.studies]
    assert table["step"].to_list() == [0, 3]
    assert table["accuracy"].to_list() == ((accuracies[0] + accuracies[1]) / 2).to_list()
    assert table["error"].isna().all()
    assert group.scores("absent").empty
    assert group.curve("absent") is None


def test_protocols_are_never_joined(tmp_path: Path) -> None:
    run = a_run(tmp_path / "x", num_steps=3)
    add_evaluation(run, step=1, fingerprint="ffffffffffff")
    (group,) = group_studies([study(load_path(run.path)[0])])
    assert group.scores("arithmetic")["step"].to_list() == [0, 3]
