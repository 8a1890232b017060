"""The paper's own curves (shared data) as experiments, so that every figure can be seen on real data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.curves.study import SCORE_COLUMNS, Group, Study
from analysis.reading.load import Run
from analysis.reading.metric_files import by_step

_METRICS = {
    "Reward During Training": "reward/mean",
    "Reward": "reward/mean",
    "Response Length During Training": "response/length_mean",
    "Response Length": "response/length_mean",
    "Average Response Length": "response/length_mean",
    "Correct Reflection Length": "reflection/correct_length_mean",
    "Percentage of Thinking Format": "format/adherence",
}
_TRAINING = ("TRAINING", "Reflection")


def paper_groups(folder: Path, figure: str) -> list[Group]:
    """The experiments of one figure: `feb2025_fig8`."""
    table = pd.read_csv(folder / "curves" / f"{figure}.csv")
    table = table[(table["flag"] != "clip_edge") & table["style"].isin(["single", "raw"])]
    table = table.assign(metric=[_metric(p, s) for p, s in zip(table["panel"], table["series"], strict=True)])
    if figure in ("feb2025_fig5", "feb2025_fig7"):
        table = table.assign(series="Open Reasoner Zero 7B")
    return [_group(str(name), part) for name, part in table.groupby("series", sort=False)]


def _metric(panel: str, series: str) -> str:
    if panel in _TRAINING:
        return _METRICS[series]
    if panel in _METRICS:
        return _METRICS[panel]
    return f"{panel}|{'length' if series == 'Response Length' else 'accuracy'}"


def _group(name: str, part: pd.DataFrame) -> Group:
    is_score = part["metric"].str.contains("|", regex=False)
    wide = part[~is_score].pivot_table(index="x", columns="metric", values="y").reset_index()
    steps = by_step(wide.rename(columns={"x": "step"}).assign(step=lambda t: t["step"].round()) if len(wide) else wide)
    scores = part[is_score].assign(
        benchmark=part["metric"].str.partition("|")[0], column=part["metric"].str.partition("|")[2]
    )
    wide_scores = scores.pivot_table(index=["benchmark", "x"], columns="column", values="y").reset_index()
    if len(wide_scores) and wide_scores["accuracy"].max() > 1:
        wide_scores["accuracy"] /= 100
    wide_scores = wide_scores.rename(columns={"x": "step"}).assign(fingerprint="", n=1, num_problems=1)
    run = Run(name=name, path=Path(name), kind="file", metrics=steps)
    study = Study(run=run, steps=steps, scores=wide_scores.reindex(columns=list(SCORE_COLUMNS)))
    return Group(label=name, studies=(study,))
