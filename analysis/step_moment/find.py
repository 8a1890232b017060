"""find_breaks: from a curve to its step moments, one screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analysis.step_moment.breaks import Break
from analysis.step_moment.curve import read_curve
from analysis.step_moment.measure import measure
from analysis.step_moment.scan import Search
from analysis.step_moment.selection import best_model, without
from analysis.step_moment.significance import p_value

SHORTEST_CURVE = 60
"""Observations below which nothing is claimed."""
COST = 2.0
"""Of a change, in log n: its size and its place."""


def find_breaks(
    steps: ArrayLike, values: ArrayLike, *, metric: str = "value", level: float = 0.05, seed: int = 0
) -> list[Break]:
    """The step moments of one curve, by step; an empty list where there is none.

    Args:
        steps: strictly increasing, (n,), integers or floats; may be irregular and have gaps.
        values: (n,), in the metric's units; what is not finite counts as not observed.
        metric: the name that the breaks carry.
        level: largest p-value of a reported break.
        seed: of the bootstrap; the same seed gives the same breaks.

    Raises:
        DataError: where steps and values do not match, or steps do not increase.

    Method and sources: docs/step-moments.md.
    """
    curve = read_curve(steps, values, metric=metric)
    if curve.n < SHORTEST_CURVE or np.ptp(curve.values) == 0:
        return []
    search = Search(curve, cost=COST)
    model = best_model(search)
    while model.changes:
        p_values = {change: p_value(search, model, change, seed=seed) for change in model.changes}
        weakest = max(model.changes, key=lambda change: p_values[change])
        if p_values[weakest] <= level:
            return measure(search, model, p_values)
        model = search.model(without(model.changes, weakest))
    return []
