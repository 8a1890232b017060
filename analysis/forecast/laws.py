"""Saturating laws of a curve over steps, fitted on grids of their two shapes at once. Pure functions.

    sigmoid   R(x) = R0 + (A - R0) / (1 + (m / x)^B)         Khatri et al., arXiv 2510.13786, equation 1
    power     R(x) = A - (A - R0) (1 + x / (B t))^-B         a power law with an offset; for large B an exponential

Both are linear in R0 and A once m or t (the scale) and B (the power) are fixed. So every pair on a grid is a column,
fitted to many curves by one matrix product. Letters: N observations, G pairs, C curves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
LAWS = ("sigmoid", "power")
_ZOOMS = 2
_FAR = 8.0
"""Log-likelihood below the best at which a pair is left out of a finer grid."""
_WEIGHT = 0.3
"""Of an observation in it: neighbours are alike."""


@dataclass(frozen=True, slots=True)
class _Axis:
    """One shape's range, in multiples of the last step for a scale, and its number of grid points."""

    low: float
    high: float
    num: int

    def points(self) -> Array:
        return np.geomspace(self.low, self.high, self.num)

    def around(self, kept: Array) -> _Axis:
        """The range of the kept points and one point beyond, within this range."""
        step = (self.high / self.low) ** (1 / (self.num - 1))
        return _Axis(max(self.low, float(kept.min()) / step), min(self.high, float(kept.max()) * step), self.num)


_AXES = {
    "sigmoid": (_Axis(0.02, 20.0, 28), _Axis(0.4, 6.0, 12)),
    "power": (_Axis(0.01, 10.0, 24), _Axis(0.1, 100.0, 16)),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The shapes of both laws that a curve does not exclude."""

    law_G: Array  # noqa: N815
    """Index into LAWS."""
    scale_G: Array  # noqa: N815
    power_G: Array  # noqa: N815

    def columns(self, x_N: Array) -> Array:  # noqa: N803
        """(G, N): 0 at the start, 1 at the end of all steps."""
        scale, power = self.scale_G[:, None], self.power_G[:, None]
        with np.errstate(over="ignore"):
            sigmoid = 1 / (1 + (scale / x_N) ** power)
            hyperbolic = 1 - (1 + x_N / (scale * power)) ** -power
        found: Array = np.where(self.law_G[:, None] == 0, sigmoid, hyperbolic)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Fits:
    """Each pair of shapes fitted to each curve by least squares."""

    errors_GC: Array  # noqa: N815
    """Sums of squares."""
    starts_GC: Array  # noqa: N815
    """R0."""
    ends_GC: Array  # noqa: N815
    """A, within the bounds."""


def grid_for(x_N: Array, y_N: Array, *, bounds: tuple[float, float]) -> Grid:  # noqa: N803
    """The grid of this curve: refined twice around the pairs that fit."""
    axes, last = dict(_AXES), float(x_N[-1])
    grid = _grid(axes, last)
    for _ in range(_ZOOMS):
        errors = fit(grid.columns(x_N), y_N[:, None], bounds=bounds).errors_GC[:, 0]
        for number, law in enumerate(LAWS):
            own = grid.law_G == number
            gap = len(x_N) / 2 * _WEIGHT * np.log(errors[own] / errors[own].min())
            kept = gap < _FAR
            scale, power = axes[law]
            axes[law] = (scale.around(grid.scale_G[own][kept] / last), power.around(grid.power_G[own][kept]))
        grid = _grid(axes, last)
    return grid


def _grid(axes: dict[str, tuple[_Axis, _Axis]], last: float) -> Grid:
    parts = []
    for number, law in enumerate(LAWS):
        scale, power = (axis.points() for axis in axes[law])
        pairs = np.stack(np.meshgrid(scale * last, power, indexing="ij"), axis=-1).reshape(-1, 2)
        parts.append(np.column_stack([np.full(len(pairs), float(number)), pairs]))
    table = np.concatenate(parts)
    return Grid(law_G=table[:, 0], scale_G=table[:, 1], power_G=table[:, 2])


def fit(columns_GN: Array, y_NC: Array, *, bounds: tuple[float, float]) -> Fits:  # noqa: N803
    """Least squares of every curve on every column; where the end is beyond a bound, with the end at the bound."""
    means = columns_GN.mean(axis=1, keepdims=True)
    centred, y_means = columns_GN - means, y_NC.mean(axis=0)
    spread = np.maximum((centred**2).sum(axis=1, keepdims=True), 1e-12)
    products = centred @ (y_NC - y_means)
    rises = products / spread
    starts = y_means - rises * means
    errors = ((y_NC - y_means) ** 2).sum(axis=0) - products * rises
    below = columns_GN - 1
    squares = np.maximum((below**2).sum(axis=1, keepdims=True), 1e-12)
    for bound, is_beyond in ((bounds[0], starts + rises < bounds[0]), (bounds[1], starts + rises > bounds[1])):
        if is_beyond.any():
            gaps = y_NC - bound
            bounded = below @ gaps / squares
            errors = np.where(is_beyond, (gaps**2).sum(axis=0) - bounded**2 * squares, errors)
            starts = np.where(is_beyond, bound - bounded, starts)
            rises = np.where(is_beyond, bounded, rises)
    return Fits(errors_GC=np.maximum(errors, 1e-300), starts_GC=starts, ends_GC=starts + rises)
