from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.curves.build import build_study, default_lexicon
from analysis.curves.grouping import group_studies
from analysis.curves.study import Group, Study, scores_of
from analysis.reading.load import Run, load_path
from analysis.report.tables import as_csv, length_table_of, result_table
from orz_bench.results.baselines import all_baselines
from tests.support.runs import a_run


def _group(label: str, rows: list[tuple[str, int, float, float]]) -> Group:
    scores = pd.DataFrame(
        [
            {
                "benchmark": name,
                "step": step,
                "fingerprint": "",
                "num_problems": 30,
                "accuracy": accuracy,
                "error": error,
                "length": 1.0,
                "low": accuracy - error,
                "high": accuracy + error,
            }
            for name, step, accuracy, error in rows
        ]
    )
    run = Run(name=label, path=Path(label), kind="file")
    return Group(label=label, studies=(Study(run=run, steps=run.metrics, scores=scores),))


def test_ours_above_published_below() -> None:
    table = result_table(
        [_group("ours", [("aime24", 10, 0.1, 0.02), ("aime24", 50, 0.25, 0.031), ("math500", 50, 0.8, 0.0)])]
    )
    assert table is not None
    assert table.headings == ("model", "aime24", "math500", "source")
    assert table.rows[0] == ("ours, step 50", "25.0 ± 3.1", "80.0", "this run")
    published = {(row[0], row[3]): row[1:3] for row in table.rows[1:]}
    for baseline in all_baselines():
        if baseline.benchmark == "aime24":
            assert published[baseline.model, baseline.source][0].startswith(f"{baseline.percent:.1f}")
    assert "not a comparison" in table.note


def test_no_evaluation_gives_no_table() -> None:
    run = Run(name="x", path=Path("x"), kind="file")
    assert result_table([Group(label="x", studies=(Study(run=run, steps=run.metrics, scores=scores_of([])),))]) is None


def test_several_seeds_show_their_range(tmp_path: Path) -> None:
    studies = [build_study(load_path(a_run(tmp_path / str(seed), num_steps=3, seed=seed).path)[0]) for seed in (1, 2)]
    (group,) = group_studies(studies)
    table = result_table([group])
    assert table is not None
    first, second = (s.scores.set_index("step")["accuracy"][3] for s in studies)
    half = abs(first - second) / 2
    shown = f"{50 * (first + second):.1f}" + (f" ± {100 * half:.1f}" if half else "")  # both sides alike
    assert table.rows[0][1:] == (shown, "mean of 2 seeds")


def test_lengths(tmp_path: Path) -> None:
    run = load_path(a_run(tmp_path / "x", num_steps=3).path)[0]
    table = length_table_of([build_study(run, lexicon=default_lexicon())])
    assert table is not None
    assert run.rollouts is not None
    tokens = run.rollouts.numbers()["num_tokens"]
    assert table.rows[0][:3] == ("x: overall", "48", f"{tokens.mean():,.1f}")
    assert as_csv(table).splitlines()[0].startswith("responses of training,number,mean")
    assert length_table_of([build_study(run)]) is None
