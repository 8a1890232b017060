"""Curves as frames: metrics.jsonl of a run, and tables of other tools with a step and numbers.

The only reader of curves: report, figures, step moments and the app all use it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from orz_bench.records.curve_tables import points_of


def by_step(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers only, `step` first, one row per step, ascending; the later of two rows of a step counts.

    Steps are int64, or float64 if one is not a whole number (epochs); rows without a finite step are dropped.
    """
    if "step" not in frame:
        return pd.DataFrame({"step": pd.Series(dtype="int64")})
    numbers = frame.copy()
    for name in frame:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            numbers[name] = pd.to_numeric(frame[name], errors="coerce")
    numbers = numbers[np.isfinite(numbers["step"].astype("float64"))].dropna(axis=1, how="all")
    if "step" not in numbers:
        return pd.DataFrame({"step": pd.Series(dtype="int64")})
    numbers = numbers.drop_duplicates("step", keep="last").sort_values("step", ignore_index=True)
    columns = ["step", *(name for name in numbers.columns if name != "step")]
    steps = numbers["step"].astype("float64")
    kind = "int64" if bool((steps == steps.round()).all() and (steps.abs() < 2**53).all()) else "float64"
    types = {"step": kind} | dict.fromkeys(columns[1:], "float64")
    return numbers[columns].astype({name: wanted for name, wanted in types.items() if numbers[name].dtype != wanted})


def curves_of(
    rows: Iterable[Mapping[str, Any]],
    *,
    where: str = "the table",
    step_column: str | None = None,
    tool: str | None = None,
) -> dict[str, pd.DataFrame]:
    """By run name ("" if the rows name none): a frame in the form of `by_step`, with our metric names.

    DataError where the column with the step is in doubt. See orz_bench.records.curve_tables for what is read.
    """
    points = points_of(rows, where=where, step_column=step_column, tool=tool)
    table = pd.DataFrame(points, columns=["run", "step", "metric", "value"])
    return {str(name): _wide(part) for name, part in table.groupby("run", sort=False)}


def _wide(long: pd.DataFrame) -> pd.DataFrame:
    wide = long.drop_duplicates(["step", "metric"], keep="last").pivot_table(
        index="step", columns="metric", values="value", sort=True
    )
    return by_step(wide.reset_index().rename_axis(columns=None))
