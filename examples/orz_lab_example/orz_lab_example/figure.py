"""A figure: how many problems are all right, all wrong, or in between."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.study import Group
from analysis.figures.captions import caption
from analysis.figures.panels import metric_panel, present
from analysis.figures.registry import Figure
from analysis.figures.spec import FigureSpec

_METRICS = {"group/all_right": "all right", "group/all_wrong": "all wrong"}


def outcome(groups: Sequence[Group]) -> FigureSpec:
    """Two lines in one panel."""
    panels = present(
        [metric_panel(groups, _METRICS, title="Problems", y_label="problems")], wanted="outcomes of groups"
    )
    text = caption("Problems whose samples are all right, or all wrong.", groups, panels=panels)
    return FigureSpec(name="outcome", title="Outcomes", panels=panels, caption=text)


FIGURE = Figure(name="outcome", paper="", needs="a training run", make=outcome, metrics=tuple(_METRICS))
