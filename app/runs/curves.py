"""The data of the page Training: available metrics, their curves over steps, and step moments as marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.curves.build import build_study, default_lexicon
from analysis.curves.curve import smooth, window_for
from analysis.curves.response_metrics import RESPONSE_METRICS
from analysis.curves.study import Study
from analysis.reading.load import load_path, load_small_files
from orz_bench.records.metrics import METRICS

MAX_POINTS = 1500
"""A curve with more points is thinned to the first, lowest and highest point of each stretch."""
DEFAULT_METRICS = (
    "reward/mean",
    "response/length_mean",
    "reflection/correct_length_mean",
    "reflection/rate",
    "response/clip_rate",
    "format/adherence",
)
_ARROWS = {"up": "↑", "down": "↓", "neither": ""}


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Description of a metric."""

    name: str
    unit: str
    arrow: str
    """↑ if more is better, ↓ if less is."""
    meaning: str


def curves_of_run(path: Path) -> Study:
    """The run from its small files. RunDirError or DataError: see load_small_files."""
    return build_study(load_small_files(path))


def curves_of_responses(path: Path) -> Study:
    """The run with metrics from its responses: reads all of their texts, in batches."""
    return build_study(load_path(path)[0], lexicon=default_lexicon())


def metric_names(studies: Sequence[Study]) -> list[str]:
    """All metrics of the runs, in the order of the catalogue, then by name."""
    found = {str(name) for study in studies for name in study.steps.columns} - {"step"}
    order = {name: index for index, name in enumerate([*METRICS, *RESPONSE_METRICS])}
    return sorted(found, key=lambda name: (order.get(name, len(order)), name))


def about(name: str, *, length_unit: str = "tokens") -> About:
    """The description of a metric from the catalogues; only the name for an unknown one."""
    if (ours := METRICS.get(name)) is not None:
        unit = length_unit if ours.unit == "tokens" and name.startswith(("response/", "reflection/")) else ours.unit
        return About(name=name, unit=unit, arrow=_ARROWS[ours.better], meaning=ours.meaning)
    if (counted := RESPONSE_METRICS.get(name)) is not None:
        unit = length_unit if counted.unit == "length" else counted.unit
        return About(name=name, unit=unit, arrow="", meaning=f"{counted.formula}.")
    return About(name=name, unit="", arrow="", meaning="Not in the catalogue of metrics.")


def curves(studies: Sequence[Study], metric: str, *, window: int | None = None) -> pd.DataFrame:
    """Columns run, step, value, smooth: one row per step with the metric.

    `smooth` is the centred mean over `window` steps (odd), by default as many as in the figures of analysis.
    """
    parts = [part for study in studies if (part := _curve(study, metric, window=window)) is not None]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["run", "step", "value", "smooth"])


def _curve(study: Study, metric: str, *, window: int | None) -> pd.DataFrame | None:
    series = study.series(metric)
    if series is None:
        return None
    known = np.isfinite(series[1])
    steps, values = study.steps["step"].to_numpy()[known], series[1][known]
    if not len(steps):
        return None
    smoothed = smooth(values, window or window_for(len(values)))
    kept = _kept(values)
    columns = {"step": steps[kept], "value": values[kept], "smooth": smoothed[kept]}
    return pd.DataFrame({"run": study.run.name} | columns)


def _kept(values: np.ndarray) -> np.ndarray:
    """Indices of the points to draw: all, or the first, lowest and highest of every stretch."""
    if len(values) <= MAX_POINTS:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), MAX_POINTS // 3)
    ends = [(part[0], part[values[part].argmin()], part[values[part].argmax()]) for part in stretches]
    return np.unique([*np.concatenate(ends), len(values) - 1])


def marks(studies: Sequence[Study], metric: str) -> pd.DataFrame:
    """Columns run, step, low, high, text: the step moments of the metric."""
    rows = [
        {
            "run": study.run.name,
            "step": mark.step,
            "low": mark.low,
            "high": mark.high,
            "text": f"{mark.kind} {'rebound' if mark.rebound else 'break'} at {mark.step:g} "
            f"({mark.low:g} to {mark.high:g}), size {mark.size:.4g}, p = {mark.p_value:.2g}",
        }
        for study in studies
        for mark in study.breaks.get(metric, ())
    ]
    return pd.DataFrame(rows, columns=["run", "step", "low", "high", "text"])


def nearest_step(study: Study, step: float) -> int | None:
    """The nearest step of the run; None without steps, or if the steps are fractions of an epoch."""
    steps = study.steps["step"].to_numpy()
    nearest = steps[np.abs(steps - step).argmin()] if len(steps) else None
    return int(nearest) if nearest is not None and nearest == int(nearest) else None
