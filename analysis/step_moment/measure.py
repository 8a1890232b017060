"""Measures the changes of a model: place with interval, size, and whether a rise is a rebound."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.breaks import Break
from analysis.step_moment.scan import Model, Search
from analysis.step_moment.selection import without
from analysis.step_moment.shapes import SLOPE, Change, columns

Floats = NDArray[np.float64]

_LEVEL_BOUND = 7.35
"""95 % bound of the likelihood ratio for the place of a level change: -2 log(1 - sqrt(0.95)), Hansen (2000), eq. 9."""
_SLOPE_BOUND = 3.84
"""The same for a change of slope, whose place is a regular parameter: chi-squared with one degree of freedom."""


def measure(search: Search, model: Model, *, p_values: dict[Change, float]) -> list[Break]:
    """The model's changes that have a p-value as breaks in the curve's units, by step."""
    curve = search.curve
    design = columns(model.changes, curve.time)
    weighed = model.background.weigh(np.column_stack([search.values, design]))
    sizes = np.linalg.lstsq(design.T @ weighed[:, 1:], design.T @ weighed[:, 0], rcond=None)[0]
    explained = design @ sizes
    fitted = explained + model.background.trend(search.values - explained)
    per_step = 1 / float(np.median(np.diff(curve.steps)))
    units = [search.unit * (per_step if change.shape == SLOPE else 1) for change in model.changes]
    breaks = []
    for change, size, unit in zip(model.changes, sizes, units, strict=True):
        if change not in p_values:
            continue
        low, high = _interval(search, model, change=change)
        falls = [other for other, its in zip(model.changes, sizes, strict=True) if other < change and its < 0]
        breaks.append(
            Break(
                metric=curve.metric,
                step=_step(curve.steps, change.middle),
                low=_step(curve.steps, low),
                high=_step(curve.steps, high),
                kind=change.kind,
                size=float(size * unit),
                p_value=p_values[change],
                rebound=bool(size > 0) and is_rebound(fitted, change, falls=falls, end=_next(model, change, n=curve.n)),
            )
        )
    return sorted(breaks, key=lambda found: found.step)


def is_rebound(fitted: Floats, rise: Change, *, falls: list[Change], end: int) -> bool:
    """Whether a rise of the fitted, noise-free curve does not exceed the level before an earlier fall.

    `falls` are earlier breaks; `end` is where the next change begins, up to which the rise is measured.
    """
    if not falls:
        return False
    before = fitted[min(fall.last_before for fall in falls) : rise.at].max()
    return bool(fitted[rise.at : end].max() <= before)


def _next(model: Model, change: Change, *, n: int) -> int:
    return min((other.at for other in model.changes if other.at > change.at), default=n)


def _step(steps: Floats, place: float) -> float:
    return float(np.interp(place, np.arange(len(steps)), steps))


def _interval(search: Search, model: Model, *, change: Change) -> tuple[float, float]:
    """(first, last) place that the likelihood ratio does not rule out, with the other changes fixed."""
    scan = search.scan(model.background, without(model.changes, change))
    gains, squares = scan.gains(search.values)
    degrees = search.curve.n - 2 - len(model.changes)
    losses = degrees * np.log((squares - gains[change.shape]) / (squares - gains[change.shape, change.at]))
    is_likely = losses <= (_SLOPE_BOUND if change.shape == SLOPE else _LEVEL_BOUND)
    is_likely &= gains[change.shape] > 0
    ruled_out = np.flatnonzero(~is_likely)  # holds both ends of the curve, where no change may begin
    after = int(np.searchsorted(ruled_out, change.at))
    first, last = ruled_out[after - 1] + 1, ruled_out[after] - 1
    middle = change.middle - change.at
    return float(first + middle), float(last + middle)
