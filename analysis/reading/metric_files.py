"""Curves as frames: metrics.jsonl of a run, and tables of other tools with a step and numbers.

The only reader of curves: report, figures, step moments and the app all use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from orz_bench.records.foreign import flat, run_column, source_columns
from orz_bench.records.metric_names import STEP_NAMES, is_known_metric, metric_names

_PLOTTED = ("panel", "series", "x", "y")
"""Columns of a table of plotted points."""
_MEASURED_STYLES = ("raw", "single")
"""Styles of plotted points that are measurements; others are smoothed lines, markers on them, or annotations."""


def by_step(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers only, `step` first, one row per step, ascending; the later of two rows of a step counts.

    Steps are int64, or float64 if one is not a whole number (epochs); rows without a finite step are dropped.
    """
    if "step" not in frame:
        return pd.DataFrame({"step": pd.Series(dtype="int64")})
    numbers: pd.DataFrame = frame.apply(pd.to_numeric, errors="coerce")
    numbers = numbers[np.isfinite(numbers["step"].astype("float64"))].dropna(axis=1, how="all")
    if "step" not in numbers:
        return pd.DataFrame({"step": pd.Series(dtype="int64")})
    numbers = numbers.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
    columns = ["step", *(name for name in numbers.columns if name != "step")]
    steps = numbers["step"].astype("float64")
    kind = "int64" if bool((steps == steps.round()).all() and (steps.abs() < 2**53).all()) else "float64"
    typed: pd.DataFrame = numbers[columns].astype({"step": kind} | dict.fromkeys(columns[1:], "float64"))
    return typed


def curves_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """By run name ("" if the rows name none): a frame in the form of `by_step`, with our metric names.

    Accepts long tables (step, metric, y or value), wide ones (step and one column per metric), and plotted points
    (panel, series, x, y). If rows name a benchmark, it prefixes the metric: `aime24/accuracy`.
    """
    table = pd.DataFrame([flat(dict(row)) for row in rows])
    if table.empty:
        return {}
    if set(_PLOTTED) <= set(table.columns):
        table = _plotted(table)
    names = source_columns(table.columns)
    step = next((name for name in STEP_NAMES if name in table), None)
    if step is None:
        return {}
    run = run_column(dict.fromkeys(table.columns))
    long = _long(table.rename(columns={step: "step"}), benchmark=names.get("benchmark"), run=run)
    return {str(name): _wide(part) for name, part in long.groupby("run", sort=False)}


def _plotted(table: pd.DataFrame) -> pd.DataFrame:
    """Columns run, step, metric, value of plotted points that were measured: neither smoothed nor beyond the axes.

    A series is a run and its panel a metric (`lambda=1.0`, `Reward During Training`), or vice versa if the series is
    named after a metric (`Response Length` in the panel `TRAINING`).
    """
    if "flag" in table:
        table = table[table["flag"].isna() | (table["flag"] == "ok")]
    if "style" in table and table["style"].isin(_MEASURED_STYLES).any():
        table = table[table["style"].isin(_MEASURED_STYLES)]
    panel, series = table["panel"].astype(str), table["series"].astype(str)
    is_metric = series.map(is_known_metric).astype(bool)
    return pd.DataFrame(
        {
            "run": series.mask(is_metric, panel),
            "step": table["x"],
            "metric": panel.mask(is_metric, series),
            "value": table["y"],
        }
    )


def _long(table: pd.DataFrame, *, benchmark: str | None, run: str | None) -> pd.DataFrame:
    """Columns run, step, metric, value."""
    value = next((name for name in ("value", "y") if name in table and "metric" in table), None)
    known = {name for name in ("step", benchmark, run, "metric") if name is not None}
    if value is None:
        known.discard("metric")
        others = [name for name in table.columns if name not in known]
        numeric = [name for name in others if pd.to_numeric(table[name], errors="coerce").notna().any()]
        table = table.melt([name for name in table.columns if name in known], numeric, var_name="metric")
        value = "value"
    metric = table["metric"].map(metric_names(table["metric"].dropna().astype(str).unique()))
    return pd.DataFrame(
        {
            "run": table[run].astype(str) if run else "",
            "step": pd.to_numeric(table["step"], errors="coerce"),
            "metric": table[benchmark].astype(str) + "/" + metric if benchmark else metric,
            "value": pd.to_numeric(table[value], errors="coerce"),
        }
    ).dropna(subset=["step", "value"])


def _wide(long: pd.DataFrame) -> pd.DataFrame:
    wide = long.drop_duplicates(["step", "metric"], keep="last").pivot_table(
        index="step", columns="metric", values="value", sort=True
    )
    return by_step(wide.reset_index().rename_axis(columns=None))
