"""The content of a figure as data: panels of series, and a caption. figures.drawing draws it; `rows` is its CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from analysis.curves.curve import Array
from analysis.step_moment.breaks import Break


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line, or one set of points."""

    label: str
    slot: int
    """Selects colour, line style and marker: one number stands for one experiment in every panel."""
    x: Array
    y: Array
    smooth: Array | None = None
    """Drawn bold in front of `y`; None: `y` itself is the line."""
    low: Array | None = None
    """Lower end of a line's band or of the points' bars; `high` is the upper end."""
    high: Array | None = None
    role: Literal["line", "points"] = "line"
    quantity: str = ""
    """The quantity, in a panel that shows several quantities of each experiment."""
    marks: tuple[Break, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A published value: a horizontal line."""

    label: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One pair of axes."""

    title: str
    y_label: str
    """With its unit."""
    series: tuple[Series, ...]
    x_label: str = "training step"
    is_share: bool = False
    """The axis is labelled in percent; values remain fractions."""
    is_log: bool = False
    """The horizontal axis is logarithmic, with base 2."""
    references: tuple[Reference, ...] = ()
    note: str = ""
    """A sentence of the caption about its lines."""
    metrics: tuple[str, ...] = ()
    """The columns of a run's steps that it draws."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSpec:
    """One figure."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    caption: str
    columns: int = 3


def rows(figure: FigureSpec) -> pd.DataFrame:
    """Every plotted point: panel, series, step, value, and smoothed, low and high if known."""
    parts = [
        pd.DataFrame(
            {
                "panel": panel.title,
                "series": f"{series.label}: {series.quantity}" if series.quantity else series.label,
                "step": series.x,
                "value": series.y,
                "smoothed": np.nan if series.smooth is None else series.smooth,
                "low": np.nan if series.low is None else series.low,
                "high": np.nan if series.high is None else series.high,
            }
        )
        for panel in figure.panels
        for series in panel.series
    ]
    references = [
        {"panel": panel.title, "series": reference.label, "value": reference.y}
        for panel in figure.panels
        for reference in panel.references
    ]
    table = (
        pd.concat([*parts, pd.DataFrame(references)], ignore_index=True)
        if references
        else pd.concat(parts, ignore_index=True)
    )
    return table.dropna(axis=1, how="all")
