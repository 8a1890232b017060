"""Measures the changes of a model: place and its interval, size, what came of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.breaks import Break
from analysis.step_moment.curve import Curve
from analysis.step_moment.lasting import is_rebound, undone_at
from analysis.step_moment.segmented import Regression
from analysis.step_moment.shapes import SLOPE, Change, column

Floats = NDArray[np.float64]

LEVEL_BOUND = 7.35
"""95 % bound of n log(RSS / least RSS) for the place of a change of level: -2 log(1 - sqrt(0.95)), Hansen (2000), eq. 9."""
SLOPE_BOUND = 3.84
"""For a change of slope, whose place is a regular parameter: chi-squared with one degree of freedom."""


def measure(curve: Curve, regression: Regression, p_values: dict[Change, float]) -> list[Break]:
    """The breaks, by step."""
    changes = tuple(sorted(p_values))
    if not changes:
        return []
    model = regression.fit(changes)
    trend = regression.families[model.family].columns[:, : regression.families[model.family].sizes[model.size]]
    shapes = np.stack([column(change, curve.time) for change in changes], axis=1)
    design = np.concatenate([trend, shapes], axis=1)
    scale = np.sqrt((design**2).sum(axis=0))
    whitened = regression.noise.whiten(design / scale)
    coefficients = np.linalg.lstsq(whitened, regression.target, rcond=None)[0] / scale
    fitted = design @ coefficients
    sizes = coefficients[-len(changes) :]
    breaks = [
        _measured(
            curve, regression, (changes, index), fitted=fitted, size=float(sizes[index]), p_value=p_values[change]
        )
        for index, change in enumerate(changes)
    ]
    return sorted(breaks, key=lambda found: found.step)


def _measured(
    curve: Curve,
    regression: Regression,
    which: tuple[tuple[Change, ...], int],
    *,
    fitted: Floats,
    size: float,
    p_value: float,
) -> Break:
    changes, index = which
    change = changes[index]
    low, high, gain = _interval(regression, changes, change)
    nexts = [other.at for other in changes if other.at > change.at]
    end = min(nexts, default=len(fitted))
    before = (
        float(np.diff(fitted)[change.at - 1] / np.diff(curve.steps)[change.at - 1])
        if change.shape == SLOPE
        else float(fitted[change.at - 1])
    )
    height = size / curve.span if change.shape == SLOPE else size
    return Break(
        metric=curve.metric,
        step=_step(curve, change.middle),
        low=_step(curve, low),
        high=_step(curve, high),
        kind=change.kind,
        size=height,
        p_value=p_value,
        rebound=is_rebound(fitted, change, end=end),
        before=before,
        after=before + height,
        undone_at=undone_at(curve.steps, fitted, change),
        gain=gain,
    )


def _step(curve: Curve, place: float) -> float:
    return float(np.interp(place, np.arange(len(curve.steps)), curve.steps))


def _interval(regression: Regression, changes: tuple[Change, ...], change: Change) -> tuple[float, float, float]:
    """(first, last place that the profile likelihood does not rule out, fall of n log RSS), the other changes held."""
    others = tuple(other for other in changes if other != change)
    model = regression.fit(changes)
    scan = regression.scan(others, family=model.family)
    gains = scan.gains[model.size]
    n = len(regression.target)
    shapes = [SLOPE] if change.shape == SLOPE else range(SLOPE)
    rss = scan.rss[model.size] - gains[change.shape, change.at]
    bound = SLOPE_BOUND if change.shape == SLOPE else LEVEL_BOUND
    profile = n * np.log(np.maximum(scan.rss[model.size] - gains, 1e-300) / max(rss, 1e-300))
    middles = [
        Change(at=int(at), shape=shape).middle
        for shape in shapes
        for at in np.flatnonzero((profile[shape] <= bound) & _near(changes, change, n))
    ]
    gain = float(n * np.log(scan.rss[model.size] / max(rss, 1e-300)))
    return min([*middles, change.middle]), max([*middles, change.middle]), gain


def _near(changes: tuple[Change, ...], change: Change, n: int) -> NDArray[np.bool_]:
    """Observations between the neighbouring changes of the same kind."""
    same = [other.at for other in changes if other.kind == change.kind and other != change]
    low = max((at for at in same if at < change.at), default=-1)
    high = min((at for at in same if at > change.at), default=n)
    places = np.arange(n)
    return (places > low) & (places < high)
