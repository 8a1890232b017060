"""A real training run, read by analysis: its numbers equal those that plain Python finds in the Parquet files."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Any

import pyarrow.parquet as pq
import pytest

from analysis.curves.build import build_study, default_lexicon
from analysis.curves.grouping import group_studies
from analysis.curves.learning import benchmark_changes
from analysis.curves.study import Study
from analysis.figures.registry import get_figure
from analysis.figures.spec import FigureSpec, rows
from analysis.reading.load import load_path
from analysis.report.build import write_report
from analysis.report.reflection_summary import summary_of
from tests.support.training import SMALL, orz_rl

Rows = Sequence[Mapping[str, Any]]
_REFLECTION = re.compile(r"wait,|recheck[,\s]|retry|alternatively,|however,")
EVALUATED = ("eval.benchmarks=arithmetic", "eval.limit=12", "eval.n=4", "eval.every=3")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "tiny"
    settings = [setting for setting in SMALL if not setting.startswith("eval.")]
    orz_rl(*settings, *EVALUATED, "num_steps=6", "--out", folder)
    return folder


@pytest.fixture(scope="module")
def studied(run: Path) -> Study:
    return build_study(load_path(run)[0], lexicon=default_lexicon())


@pytest.fixture(scope="module")
def by_step(run: Path) -> dict[int, Rows]:
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(run.glob("rollouts/*/part-*.parquet")):
        for row in pq.ParquetFile(path).read().to_pylist():
            found[row["step"]].append(row)
    return dict(sorted(found.items()))


def _plotted(spec: FigureSpec, panel: str, series: str = "") -> dict[int, float]:
    table = rows(spec)
    table = table[(table["panel"] == panel) & table["series"].str.endswith(series)]
    return {int(step): value for step, value in zip(table["step"], table["value"], strict=True)}


def test_curves(studied: Study, by_step: dict[int, Rows]) -> None:
    groups = group_studies([studied])
    training, reflection = get_figure("training").make(groups), get_figure("reflection").make(groups)
    reward = {step: fmean(row["reward"] for row in part) for step, part in by_step.items()}
    length = {step: fmean(row["num_tokens"] for row in part) for step, part in by_step.items()}
    reflects = {
        step: fmean(_REFLECTION.search(row["completion"]) is not None for row in part) for step, part in by_step.items()
    }
    assert list(reward) == [1, 2, 3, 4, 5, 6]
    assert _plotted(training, "Training reward") == pytest.approx(reward)
    assert _plotted(training, "Response length") == pytest.approx(length)
    assert _plotted(reflection, "Reflection rate") == pytest.approx(reflects)
    both = {
        step: [r["num_tokens"] for r in part if r["verdict"] == "correct" and _REFLECTION.search(r["completion"])]
        for step, part in by_step.items()
    }
    expected = {step: fmean(lengths) for step, lengths in both.items() if lengths}
    assert _plotted(reflection, "Length: all, and right reflecting", "right and reflecting") == pytest.approx(expected)


def test_lengths_format_and_groups(studied: Study, by_step: dict[int, Rows]) -> None:
    groups = group_studies([studied])
    lengths, health = get_figure("lengths").make(groups), get_figure("health").make(groups)
    medians = {step: median(row["num_tokens"] for row in part) for step, part in by_step.items()}
    clipped = {step: fmean(row["stop_reason"] == "length" for row in part) for step, part in by_step.items()}
    assert _plotted(lengths, "Spread of lengths", "median") == pytest.approx(medians)
    assert _plotted(lengths, "Cut by the limit") == pytest.approx(clipped)
    all_right = {}
    for step, part in by_step.items():
        verdicts = defaultdict(list)
        for row in part:
            verdicts[row["problem_id"]].append(row["verdict"] == "correct")
        all_right[step] = fmean(all(group) for group in verdicts.values())
    assert _plotted(health, "Problems without a signal", "all right") == pytest.approx(all_right)
    answered = {step: fmean(row["extracted"] is not None for row in part) for step, part in by_step.items()}
    assert _plotted(get_figure("format").make(groups), "Format", "an answer found") == pytest.approx(answered)


def test_evaluations(studied: Study, run: Path) -> None:
    shares: dict[int, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for path in run.glob("evals/arithmetic/*/*/part-*.parquet"):
        for row in pq.ParquetFile(path).read().to_pylist():
            shares[row["step"]][row["problem_id"]].append(row["verdict"] == "correct")
    averages = {step: fmean(fmean(s) for s in by_problem.values()) for step, by_problem in sorted(shares.items())}
    assert list(averages) == [0, 3, 6]
    spec = get_figure("benchmarks").make(group_studies([studied]))
    assert _plotted(spec, "arithmetic: accuracy") == pytest.approx(averages)
    (progress,) = benchmark_changes(studied.run.evaluations)
    assert progress.comparison.difference == pytest.approx(averages[6] - averages[0])


def test_reflection_summary(studied: Study, by_step: dict[int, Rows]) -> None:
    assert studied.features is not None
    summary = summary_of("training", studied.features, lexicon=default_lexicon(), num_rows=len(studied.features))
    everything = [row for part in by_step.values() for row in part]
    reflecting = [row for row in everything if _REFLECTION.search(row["completion"])]
    assert summary.num_responses == len(everything) == 96
    assert summary.num_reflecting == len(reflecting)
    assert summary.reflections == sum(len(_REFLECTION.findall(row["completion"])) for row in everything)
    assert summary.effect.accuracy_reflecting == pytest.approx(fmean(r["verdict"] == "correct" for r in reflecting))
    assert sum(summary.answer_changes.values()) == len(reflecting)


def test_the_page(studied: Study, run: Path, tmp_path: Path) -> None:
    written = write_report([studied], tmp_path)
    html = written.page.read_text(encoding="utf-8")
    assert "tiny: training run, finished, seed 42, 6 steps, 96 responses read." in html
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    series = (tmp_path / "figures" / "training.csv").read_text(encoding="utf-8")
    assert str(last["reward/mean"]) in series
    assert "Responses before and after" in html
