"""Test whether a curve changes from start to end by more than its noise, which may be correlated between steps.

Input: the values of one curve. Output: whether and in which direction it changes. learning.py computes the size.

    y = X b + noise,   noise an AR(1) process of correlation rho

Independent noise would be wrong: training metrics wander, and ten neighbouring steps carry less information than ten
independent ones. For each rho, b has a generalised least squares estimate and a t statistic; the probability that the
change has the other sign is averaged over rho, weighted by the restricted likelihood (Harville 1974) under a flat
prior. Using only the most likely rho would report a change in a tenth of constant AR(1) 0.9 curves of 40 steps, because
rho is not known that precisely.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr

Array = np.ndarray[Any, np.dtype[np.float64]]

CORRELATIONS = np.concatenate([np.linspace(-0.3, 0.9, 13), [0.94, 0.97, 0.99]])
"""Correlations considered for the noise of neighbouring steps."""
LEVEL_LINE = 0.04
"""Significance level of the straight line, for curves of LONG or more steps. It falls with the number of steps below
that, because the correlation of a short curve cannot be estimated well."""
LEVEL_SHAPE = 2e-4
"""Significance level of the other shapes; lower, because the best of several is chosen. Both levels together keep the
false alarm rate below 5 % (benchmarks/curve_changes.py)."""
LONG = 100
FEWEST = 4
LOG_SCALE = 20.0
"""Curves that rise fast and level off are straight in log(1 + 20 t), t from 0 to 1."""


def changes(values: Array, *, ends: int) -> int:
    """1 if the curve rises, -1 if it falls, 0 if the change is within noise; values must be finite.

    A curve changes if a straight line has a slope, or if the best of several shapes (quadratic and cubic polynomials in
    the step and in its logarithm, one jump) differs between its first and last `ends` steps. The false alarm rate is at
    most 5 % for any correlation up to 0.9, from 20 steps on; see the table in docs/analysis.md.
    """
    num = len(values)
    spread = float(np.ptp(values)) if num >= FEWEST else 0.0
    if spread <= 1e-12 * max(1.0, float(np.abs(values).max(initial=0.0))):
        return 0
    scaled = (values - values.mean()) / spread
    line = _polynomial(np.linspace(0, 1, num), 1)
    by_line = _fit(scaled, line, contrast=line[-1] - line[0])
    if by_line.p_value < LEVEL_LINE * min(1.0, num / LONG):
        return by_line.sign
    fits = (_fit(scaled, X, contrast=X[-ends:].mean(0) - X[:ends].mean(0)) for X in _shapes(scaled, ends=ends))
    best = min(fits, key=lambda fit: fit.criterion)
    return best.sign if best.p_value < LEVEL_SHAPE else 0


@dataclass(frozen=True, slots=True)
class _Fit:
    """The fit of one shape, averaged over all correlations."""

    probability_up: float
    """Probability that the contrast is positive."""
    criterion: float
    """BIC, without the terms that all shapes share."""

    @property
    def p_value(self) -> float:
        return 2 * min(self.probability_up, 1 - self.probability_up)

    @property
    def sign(self) -> int:
        return 1 if self.probability_up > 0.5 else -1


def _fit(y: Array, design: Array, *, contrast: Array) -> _Fit:
    num, size = design.shape
    likelihoods, restricted, statistics = (np.empty(len(CORRELATIONS)) for _ in range(3))
    for k, rho in enumerate(CORRELATIONS):
        q, r = np.linalg.qr(_whitened(design, rho))
        white = _whitened(y, rho)
        coordinates = q.T @ white
        left = max(float(white @ white - coordinates @ coordinates), 1e-24)
        log_determinant = -np.log1p(-rho * rho)
        likelihoods[k] = num * np.log(left / num) + log_determinant
        restricted[k] = (num - size) * np.log(left / (num - size)) + log_determinant
        restricted[k] += 2 * np.log(np.abs(np.diag(r))).sum()
        direction = np.linalg.solve(r.T, contrast)
        error = np.sqrt(left / (num - size)) * np.linalg.norm(direction)
        statistics[k] = direction @ coordinates / error
    weights = np.exp(-(restricted - restricted.min()) / 2) * np.gradient(CORRELATIONS)
    up = float(weights @ stdtr(num - size, statistics) / weights.sum())
    return _Fit(up, float(likelihoods.min()) + size * float(np.log(num)))


def _whitened(columns: Array, rho: float) -> Array:
    """The columns less rho times their predecessors: AR(1) noise becomes independent (Prais and Winsten 1954)."""
    white = columns.copy()
    white[1:] -= rho * columns[:-1]
    white[0] *= np.sqrt(1 - rho * rho)
    return white


def _shapes(y: Array, *, ends: int) -> Iterator[Array]:
    num = len(y)
    time = np.linspace(0, 1, num)
    for at in (time, np.log1p(LOG_SCALE * time) / np.log1p(LOG_SCALE)):
        for degree in range(1, min(3, num - 3) + 1):
            yield _polynomial(at, degree)
    yield np.column_stack([np.ones(num), np.arange(num) >= _jump(y, ends=ends)])


def _polynomial(at: Array, degree: int) -> Array:
    return np.asarray(np.polynomial.legendre.legvander(2 * at - 1, degree))


def _jump(y: Array, *, ends: int) -> int:
    """The place where the means before and after differ most for their lengths; at least `ends` from both ends."""
    num = len(y)
    before = np.arange(ends, num - ends + 1)
    sums = np.cumsum(y)[before - 1]  # y has mean 0
    return int(before[np.argmax(np.abs(sums) / np.sqrt(before * (num - before)))])
