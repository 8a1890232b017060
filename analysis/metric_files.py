"""Curves as frames: metrics.jsonl of a run, and tables of other tools with a step and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from analysis.columns import metric_name
from orz_bench.records.foreign import ALIASES, flat, run_column, source_columns

_STEP_NAMES = ALIASES["step"]


def by_step(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers only, `step` as int64 first, one row a step, ascending; the later of two rows of a step counts."""
    if "step" not in frame:
        return pd.DataFrame({"step": pd.Series(dtype="int64")})
    numbers: pd.DataFrame = frame.apply(pd.to_numeric, errors="coerce")
    numbers = numbers[numbers["step"].notna()].dropna(axis=1, how="all")
    numbers = numbers.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
    columns = ["step", *(name for name in numbers.columns if name != "step")]
    typed: pd.DataFrame = numbers[columns].astype({"step": "int64"} | dict.fromkeys(columns[1:], "float64"))
    return typed


def curves_of(rows: Iterable[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """By run name ("" where the rows name none): a frame as `by_step` gives it, with the metrics' names of ours.

    Long tables (step, metric, y or value) and wide ones (step and a column a metric) are both understood; where rows
    name a benchmark, it goes before the metric: `aime24/accuracy`.
    """
    table = pd.DataFrame([flat(dict(row)) for row in rows])
    names = source_columns(table.columns)
    step = next((name for name in _STEP_NAMES if name in table), None)
    if table.empty or step is None:
        return {}
    run = run_column(dict.fromkeys(table.columns))
    long = _long(table.rename(columns={step: "step"}), benchmark=names.get("benchmark"), run=run)
    return {str(name): _wide(part) for name, part in long.groupby("run", sort=False)}


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
    metric = table["metric"].map(metric_name)
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
