"""Comparison of experiments: reward, length and benchmark scores at the start and the end, over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd
from rich.table import Table

from analysis.curves.learning import change_of
from analysis.curves.study import Group, benchmarks_of

METRICS = ("reward/mean", "response/length_mean", "reflection/rate", "response/clip_rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """One quantity of one experiment, at the start and at the end."""

    name: str
    first: float
    last: float
    low: float | None
    high: float | None
    """Range of `last`: lowest and highest of several seeds, or the 95 % interval of one; None if neither is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One group of runs."""

    label: str
    runs: tuple[str, ...]
    seeds: tuple[int, ...]
    last_step: float | None
    quantities: tuple[Ends, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def compared(groups: Sequence[Group]) -> list[Experiment]:
    """Each group with its quantities; metrics are means over the first and last tenth of the steps (at most ten)."""
    benchmarks = benchmarks_of(groups)
    return [
        Experiment(
            label=group.label,
            runs=tuple(study.run.name for study in group.studies),
            seeds=tuple(study.run.seed for study in group.studies if study.run.seed is not None),
            last_step=min((s.steps["step"].max().item() for s in group.studies if len(s.steps)), default=None),
            quantities=(*_metric_ends(group), *_score_ends(group, benchmarks)),
        )
        for group in groups
    ]


def _metric_ends(group: Group) -> list[Ends]:
    found = []
    for metric in METRICS:
        curve = group.curve(metric)
        if curve is None or (change := change_of(curve.steps, curve.values)) is None:
            continue
        size = change.num_steps
        low = float(curve.low[-size:].mean()) if curve.low is not None else None
        high = float(curve.high[-size:].mean()) if curve.high is not None else None
        found.append(Ends(name=metric, first=change.first, last=change.last, low=low, high=high))
    return found


def _score_ends(group: Group, benchmarks: Sequence[str]) -> list[Ends]:
    found = []
    for name in benchmarks:
        lines = [line for line in group.score_lines(name) if len(line.table)]
        for line in lines:
            called = name if len(lines) == 1 else f"{name} ({', '.join(s.run.name for s in line.studies)})"
            found.append(_ends_of_line(line.table, called))
    return found


def _ends_of_line(table: pd.DataFrame, name: str) -> Ends:
    first, last = table.iloc[0], table.iloc[-1]
    ends = (float(last["low"]), float(last["high"])) if last["low"] < last["high"] else (None, None)
    return Ends(name=name, first=float(first["accuracy"]), last=float(last["accuracy"]), low=ends[0], high=ends[1])


def comparison_table(experiments: Sequence[Experiment]) -> Table:
    """The quantities, each with one row per experiment."""
    table = Table("quantity", "experiment", "seeds", "steps", "first", "last", "range of seeds, or 95 %", box=None)
    names = dict.fromkeys(ends.name for experiment in experiments for ends in experiment.quantities)
    for name in names:
        rows = [(one, ends) for one in experiments for ends in one.quantities if ends.name == name]
        for index, (one, ends) in enumerate(rows):
            seeds = ", ".join(map(str, one.seeds)) or "–"
            steps = "–" if one.last_step is None else f"{one.last_step:g}"
            is_known = ends.low is not None and ends.high is not None
            spread = f"{ends.low:.4g} to {ends.high:.4g}" if is_known else "–"
            cells = (one.label, seeds, steps, f"{ends.first:.4g}", f"{ends.last:.4g}", spread)
            table.add_row(name if index == 0 else "", *cells)
    return table
