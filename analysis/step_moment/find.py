"""find_breaks: from a curve to its step moments, on one screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from analysis.step_moment.breaks import Break
from analysis.step_moment.curve import read_curve
from analysis.step_moment.measure import measure
from analysis.step_moment.scan import Search
from analysis.step_moment.selection import backward, best_model, polished
from analysis.step_moment.significance import p_value

SHORTEST_CURVE = 60
"""Minimum number of observations; shorter curves are not tested."""
COST = 2.5
"""Cost of a change in units of log n: between BIC (size, place) and the modified BIC of Zhang and Siegmund (2007)."""
SEARCH_COST = 2.0
"""The lower cost while searching: superfluous changes are dropped later, missed ones cannot be recovered."""


def find_breaks(
    steps: ArrayLike, values: ArrayLike, *, metric: str = "value", level: float = 0.05, seed: int = 0
) -> list[Break]:
    """The step moments of one curve, by step; an empty list if there are none.

    Args:
        steps: strictly increasing, (n,), integers or floats; may be irregular and have gaps.
        values: (n,), in the metric's units; values that are not finite count as missing.
        metric: the name given to the breaks.
        level: largest p-value of a reported break.
        seed: seed of the bootstrap; the same seed gives the same breaks.

    Raises:
        DataError: if steps and values differ in shape, or the steps do not increase.

    Method and sources: docs/step-moments.md.
    """
    curve = read_curve(steps, values, metric=metric)
    if curve.n < SHORTEST_CURVE or np.ptp(curve.tamed) == 0:
        return []
    generous = Search(curve, cost=SEARCH_COST)
    search = generous.at_cost(COST)
    model = polished(search, search.model(best_model(generous).changes))
    p_values = {change: p_value(search, model, change=change, seed=seed) for change in model.changes}
    significant = tuple(change for change in model.changes if p_values[change] <= level)
    standing = backward(search, search.model(significant)).changes
    return measure(search, model, p_values={change: p_values[change] for change in standing})
