"""The figure of forecasts: a curve, and the interval of its end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.curves.curve import smooth, window_for
from analysis.curves.forecasts import Forecasts
from analysis.curves.study import Study
from analysis.figures.spec import FigureSpec, Panel, Series
from analysis.reading.columns import unit_of


def forecast_figure(pairs: Sequence[tuple[Study, Forecasts]]) -> FigureSpec | None:
    """One panel for each forecast curve; None without any."""
    panels = []
    for study, found in pairs:
        for one in found.curves:
            series = study.series(one.metric)
            if one.end is None or series is None:
                continue
            steps, values = series
            window = window_for(len(values))
            end = one.end
            bars = (np.array([end.low]), np.array([end.high]))
            several = f"{study.run.name}: " if len(pairs) > 1 else ""
            panels.append(
                Panel(
                    title=f"{several}{one.metric}",
                    y_label=unit_of(one.metric) or "value",
                    metrics=(one.metric,),
                    series=(
                        Series(label="measured", slot=0, x=steps, y=values, smooth=smooth(values, window)),
                        Series(
                            label="forecast",
                            slot=1,
                            x=np.array([0.95 * end.at]),
                            y=np.array([end.value]),
                            low=bars[0],
                            high=bars[1],
                            role="points",
                        ),
                    ),
                )
            )
    if not panels:
        return None
    return FigureSpec(
        name="forecast",
        title="Where the curves are heading",
        panels=tuple(panels),
        caption=(
            "Forecasts of the mean over the last tenth of the steps, with 90 % intervals from a block bootstrap over "
            "the sigmoid and the power law."
        ),
        columns=2,
    )
