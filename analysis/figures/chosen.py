"""A figure with one panel for each requested metric: for metrics that no other figure draws."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.study import Group
from analysis.figures.captions import caption
from analysis.figures.panels import metric_panel, present
from analysis.figures.spec import FigureSpec
from analysis.reading.columns import unit_of
from orz_bench.errors import ConfigError, nearest
from orz_bench.records.metric_names import metric_name

NAME = "metrics"


def chosen_metrics(groups: Sequence[Group], names: Sequence[str]) -> FigureSpec:
    """One panel per metric, in the requested order. ConfigError for a metric that none of the runs has."""
    known = columns_of(groups)
    ours = [name if name in known else metric_name(name) for name in names]
    unknown = [name for name in ours if name not in known]
    if unknown or not ours:
        fault = f"unknown metric {unknown[0]!r}{nearest(unknown[0], known)}" if unknown else "no metric is named"
        raise ConfigError(f"{fault}; name metrics of these runs: {', '.join(known) or 'none'}.")
    panels = present(
        [metric_panel(groups, {name: ""}, title=name, y_label=unit_of(name) or "value") for name in ours],
        wanted=f"values of {', '.join(ours)}",
    )
    text = caption("Selected metrics.", groups, panels=panels)
    return FigureSpec(name=NAME, title="Metrics", panels=panels, caption=text)


def columns_of(groups: Sequence[Group]) -> list[str]:
    """All columns of the runs' steps, by name."""
    return sorted({str(name) for group in groups for study in group.studies for name in study.steps.columns} - {"step"})
