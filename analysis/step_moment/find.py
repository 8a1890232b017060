"""find_breaks: from a curve to its step moments, one screen."""

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
"""Observations below which nothing is claimed."""
COST = 2.5
"""Of a change, in log n: between BIC (its size and its place) and the modified BIC of Zhang and Siegmund (2007)."""
SEARCH_COST = 2.0
"""While searching: what is found too much is dropped later, what is missed stays missing."""


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
    if curve.n < SHORTEST_CURVE or np.ptp(curve.tamed) == 0:
        return []
    generous = Search(curve, cost=SEARCH_COST)
    search = generous.at_cost(COST)
    model = polished(search, search.model(best_model(generous).changes))
    p_values = {change: p_value(search, model, change=change, seed=seed) for change in model.changes}
    significant = tuple(change for change in model.changes if p_values[change] <= level)
    standing = backward(search, search.model(significant)).changes
    return measure(search, model, p_values={change: p_values[change] for change in standing})
