"""A heat map of pass rates, questions x checkpoints, with the means of both as margins."""

from __future__ import annotations

import json
from typing import Literal

import altair as alt
import numpy as np
import pandas as pd

from app.markdown import plain
from app.queries.rates import Matrix, column_means, margins
from app.views.charts import PICKED, Drawn
from app.views.names import told_apart

MOST_CELLS = 60_000
"""Of a larger matrix the first questions are drawn."""
MOST_LABELS = 60
_MARGIN_PX = 14
_WIDTH_PX = 700
"""About the width of a chart beside the table."""


def drawn_rows(matrix: Matrix) -> int:
    """The number of questions that are drawn."""
    return min(len(matrix.problems), max(MOST_CELLS // max(len(matrix.columns), 1), 1))


def _inside_px(matrix: Matrix) -> int:
    """The height of the cells: rows that can be clicked, and at most two screens."""
    rows = len(matrix.problems)
    each = 18 if rows <= 20 else 9 if rows <= MOST_LABELS else 4 if rows <= 150 else 3
    return max(min(rows * each, 1500), 60)


def height_px(matrix: Matrix) -> int:
    """The height of the chart with its margin, axis and legend."""
    return 110 + _inside_px(matrix)


def _thickness(matrix: Matrix) -> tuple[float, float]:
    """The thickness of the margin on the right in columns, and of the one above in rows."""
    return len(matrix.columns) * _MARGIN_PX / _WIDTH_PX, len(matrix.problems) * _MARGIN_PX / _inside_px(matrix)


def cells(matrix: Matrix) -> pd.DataFrame:
    """Columns problem, column, share (percent), samples, and the rectangle x, x2, y, y2; margins have an empty name."""
    rows, columns = np.nonzero(np.isfinite(matrix.shares))
    wide, high = _thickness(matrix)
    found = margins(matrix)
    means = column_means(matrix)
    inside = _frame(matrix, rows=rows, columns=columns, shares=matrix.shares[rows, columns])
    inside["samples"] = matrix.graded[rows, columns]
    right = _frame(matrix, rows=np.arange(len(matrix.problems)), shares=found.mean)
    right["x"], right["x2"] = len(matrix.columns) + wide / 3, len(matrix.columns) + 4 * wide / 3
    top = _frame(matrix, columns=np.arange(len(matrix.columns)), shares=means)
    top["y"], top["y2"] = -4 * high / 3, -high / 3
    known = pd.concat([inside, right, top], ignore_index=True)
    return known[known["share"].notna()]


def _frame(
    matrix: Matrix, *, shares: np.ndarray, rows: np.ndarray | None = None, columns: np.ndarray | None = None
) -> pd.DataFrame:  # fmt: skip
    problems, titles = np.asarray(matrix.problems, dtype=object), np.asarray(matrix.columns, dtype=object)
    frame = pd.DataFrame({"share": np.round(100 * shares, 1)})
    frame["problem"] = "" if rows is None else problems[rows]
    frame["column"] = "" if columns is None else titles[columns]
    for name, at in (("x", columns), ("y", rows)):
        if at is not None:
            frame[name], frame[f"{name}2"] = at, at + 1
    return frame


def matrix_chart(matrix: Matrix, *, of: str) -> Drawn:
    """The chart; a click on a cell selects its problem and column. `of` says what the columns are."""
    table = cells(matrix)
    names = list(told_apart([plain(name) for name in matrix.problems], limit=16).values())
    rows, columns = len(matrix.problems), len(matrix.columns)
    labels = names if rows <= MOST_LABELS else []
    wide, high = _thickness(matrix)
    x_labels = [plain(title)[:18] for title in matrix.columns]
    x_axis = _axis(x_labels, every=max(1, columns // 12), title=None, orient="top")
    y_axis = _axis(labels, every=1, title=None if labels else f"{rows:,} questions", orient="left")
    picked = alt.selection_point(name=PICKED, fields=["problem", "column"], on="click", empty=False)
    chart = (
        alt.Chart(table)
        .mark_rect()
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(domain=[0, columns + 4 * wide / 3], nice=False), axis=x_axis),
            x2="x2:Q",
            y=alt.Y("y:Q", scale=alt.Scale(domain=[rows, -4 * high / 3], nice=False), axis=y_axis),
            y2="y2:Q",
            color=alt.Color(
                "share:Q", scale=alt.Scale(scheme="viridis", domain=[0, 100]),
                legend=alt.Legend(title="correct, %", orient="top", gradientLength=180, titleOrient="left"),
            ),
            tooltip=[
                alt.Tooltip("problem:N", title="question"), alt.Tooltip("column:N", title=of),
                alt.Tooltip("share:Q", title="correct, %", format=".0f"), alt.Tooltip("samples:Q", title="samples"),
            ],
        )
        .add_params(picked)
    )  # fmt: skip
    return alt.layer(chart).properties(height=height_px(matrix))


def _axis(labels: list[str], *, every: int, title: str | None, orient: Literal["top", "left"]) -> alt.Axis:
    """Labels in the middle of the cells; JSON strings are literals of Vega's expressions, which run no code."""
    if not labels:
        return alt.Axis(labels=False, ticks=False, grid=False, title=title)
    middles = [number + 0.5 for number in range(0, len(labels), every)]
    expression = f"{json.dumps(labels)}[floor(datum.value)]"
    return alt.Axis(values=middles, labelExpr=expression, ticks=False, grid=False, title=title, labelAngle=0,
                    labelOverlap=True, labelLimit=130, orient=orient)  # fmt: skip
