r"""The model of a curve without step moments: a smooth trend and autocorrelated noise, as one Gaussian process.

    y = X b + B c + noise,   second differences of c ~ N(0, var / lambda)

The trend B c is a P-spline (Eilers and Marx 1996): cubic B-splines whose knots are at least a twelfth of the run apart,
so that a faster change is not a smooth trend, however strong it is. The knots, the stiffness of the trend (lambda) and
the noise are chosen by marginal likelihood. With P the precision of the noise and D second differences, values enter
only through

    Q = P - P B (B'P B + lambda D'D)^-1 B'P,

which is zero on straight lines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.linalg import solve_triangular

from analysis.step_moment.curve import Curve
from analysis.step_moment.noise import Noise

Floats = NDArray[np.float64]
Knots = tuple[str, int]

CORRELATIONS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Correlations considered for the noise of neighbouring observations."""
KNOTS: tuple[Knots, ...] = (("steps", 3), ("steps", 6), ("steps", 12), ("log steps", 3), ("log steps", 6))
"""Knots of the trend: (scale on which they are evenly spaced, number of intervals).

The log scale is log(1 + 20 t), t from 0 to 1, for curves that rise fast and level off.
"""
LOG_SCALE = 20.0
TRENDS = tuple((knots, stiffness) for knots in KNOTS for stiffness in np.geomspace(1e-6, 1e3, 7))
"""(knots, lambda divided by the weight of the observations between two knots): from no penalty to a straight line."""


@dataclass(frozen=True, eq=False)
class Background:
    """One noise model and one trend model."""

    noise: Noise
    splines: Floats
    """B, (n, splines)."""
    weighed_splines: Floats
    """P B."""
    penalty: float
    """Lambda."""

    @property
    def time(self) -> Floats:
        """(n,) in units of the median distance between two observations."""
        return self.noise.time

    def trend(self, x: Floats) -> Floats:
        """The smooth trend in x, (n,) or (n, columns): its posterior mean."""
        return np.asarray(self.splines @ (self.root.T @ (self.root @ (self.weighed_splines.T @ x))))

    def weigh(self, x: Floats) -> Floats:
        """Q x for x of (n,) or (n, columns)."""
        return self.noise.weigh(x - self.trend(x))

    @cached_property
    def log_determinant(self) -> float:
        """Log determinant of the covariance on the complement of straight lines, up to a constant."""
        joint = -2 * float(np.log(self.root.diagonal()).sum())
        prior = (self.splines.shape[1] - 2) * float(np.log(self.penalty))
        return float(self.noise.log_determinant + joint - prior)

    @cached_property
    def root(self) -> Floats:
        """Inverse of the Cholesky factor of B'P B + lambda D'D."""
        size = self.splines.shape[1]
        bends = np.diff(np.eye(size), 2, axis=0)
        factor = np.linalg.cholesky(self.splines.T @ self.weighed_splines + self.penalty * bends.T @ bends)
        return np.asarray(solve_triangular(factor, np.eye(size), lower=True))


@dataclass(frozen=True, slots=True)
class _Products:
    """Inner products under P of the values and regressors (n, 1 + k) with themselves and with B."""

    own: Floats
    with_splines: dict[Knots, Floats]


class Backgrounds:
    """All candidate backgrounds of a curve; each is computed once."""

    def __init__(self, curve: Curve) -> None:
        """Knots are spaced evenly over the curve's steps, or over their logarithm."""
        time, scale = curve.time, curve.noise_scale
        self._noises = [Noise(time, scale, correlation) for correlation in CORRELATIONS]
        self._splines = {knots: splines(time, knots) for knots in KNOTS}
        self._weighed = [{knots: noise.weigh(B) for knots, B in self._splines.items()} for noise in self._noises]
        self._weights = [float(noise.weigh(np.ones(curve.n)).sum()) for noise in self._noises]
        self._made: dict[tuple[int, int], Background] = {}

    def at(self, noise: int, trend: int) -> Background:
        """The background at these indices of CORRELATIONS and TRENDS."""
        key = (noise, trend)
        if key not in self._made:
            knots, stiffness = TRENDS[trend]
            penalty = stiffness * self._weights[noise] / knots[1]
            parts = (self._noises[noise], self._splines[knots], self._weighed[noise][knots])
            self._made[key] = Background(*parts, penalty)
        return self._made[key]

    def fit(self, values: Floats, columns: Floats) -> tuple[Background, float]:
        """The background with the largest marginal likelihood, and -2 log of it, given regressors (n, k).

        Optimises noise and trend in turn, starting from a stiff and from a flexible trend: stiff trends with correlated
        noise and flexible ones with independent noise explain a curve about equally well. Scale and coefficients are
        profiled out.
        """
        both = np.column_stack([values, columns])
        products: dict[int, _Products] = {}
        known: dict[tuple[int, int], float] = {}

        def loss(noise: int, trend: int) -> float:
            key = (noise, trend)
            if noise not in products:
                products[noise] = self._products(noise, both)
            if key not in known:
                known[key] = _loss(self.at(*key), products[noise], knots=TRENDS[trend][0])
            return known[key]

        places = [_descend(loss, start) for start in (0, len(TRENDS) - 1)]
        best = min(places, key=lambda place: loss(*place))
        return self.at(*best), loss(*best)

    def _products(self, noise: int, both: Floats) -> _Products:
        weighed = self._noises[noise].weigh(both)
        return _Products(both.T @ weighed, {knots: B.T @ weighed for knots, B in self._splines.items()})


def _loss(background: Background, products: _Products, *, knots: Knots) -> float:
    """-2 log marginal likelihood."""
    half = background.root @ products.with_splines[knots]
    gram = products.own - half.T @ half
    left = gram[0, 0]
    if len(gram) > 1:
        left -= gram[0, 1:] @ np.linalg.lstsq(gram[1:, 1:], gram[1:, 0], rcond=None)[0]
    degrees = len(background.time) - 2
    return degrees * float(np.log(max(left, np.finfo(float).tiny) / degrees)) + background.log_determinant


def _descend(loss: Callable[[int, int], float], trend: int) -> tuple[int, int]:
    place = (2, trend)
    while True:
        noise = min(range(len(CORRELATIONS)), key=lambda i: loss(i, place[1]))
        trend = min(range(len(TRENDS)), key=lambda j: loss(noise, j))
        if (noise, trend) == place:
            return place
        place = (noise, trend)


def splines(time: Floats, knots: Knots) -> Floats:
    """(n, intervals + 3) cubic B-splines with even knots over the increasing times, or over their logarithm."""
    kind, intervals = knots
    place = (time - time[0]) / (time[-1] - time[0])
    if kind == "log steps":
        place = np.log1p(LOG_SCALE * place) / np.log1p(LOG_SCALE)
    places = np.arange(-3, intervals + 4) / intervals
    return np.asarray(BSpline.design_matrix(np.clip(place, 0, 1), places, 3).toarray())
