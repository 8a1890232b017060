"""Does a curve change from its beginning to its end by more than its noise, which may be correlated from step to step?

Goes in: the values of one curve. Comes out: whether it changes. progress.py computes the sizes.

    y = X b + noise,   noise an AR(1) process of correlation rho

Independent noise would be wrong: training metrics wander, and a mean over ten neighbouring steps says less than ten
steps. For each rho, b has its generalised least squares estimate and a t statistic; the probability that the change has
the other sign is averaged over rho by its restricted likelihood (Harville 1974) under a flat prior. Plugging in the
likeliest rho instead calls a tenth of the AR(1) 0.9 curves of 40 steps a change, because rho is not known that well.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtr

Array = np.ndarray[Any, np.dtype[np.float64]]

CORRELATIONS = np.concatenate([np.linspace(-0.3, 0.9, 13), [0.94, 0.97, 0.99]])
"""Of the noise of neighbouring steps."""
LEVEL_LINE = 0.04
"""Of the straight line, for curves of LONG steps; below it falls with the number of steps: a short curve does not tell
its correlation."""
LEVEL_SHAPE = 2e-4
"""Of the other shapes, of which the best is chosen, which makes their p-values too small. Both levels together keep
false alarms below 5 % (benchmarks/curve_changes.py)."""
LONG = 100
FEWEST = 4
LOG_SCALE = 20.0
"""Curves that rise fast and level off are straight in log(1 + 20 t), t from 0 to 1."""


def changes(values: Array, *, ends: int) -> int:
    """1 where the curve rises, -1 where it falls, 0 where that cannot be told from noise; values are finite.

    Either a straight line has a slope, or the best of some shapes (quadratic and cubic polynomials in the step and in
    its logarithm, one jump) differs between its first and last `ends` steps. The error rate for curves that do not
    change is at most 5 %, at any correlation up to 0.9, from 20 steps on; docs/analysis.md has the table.
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
    """One shape, over all correlations."""

    probability_up: float
    """That the contrast is positive."""
    criterion: float
    """BIC, less what all shapes share."""

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
    """Where the means before and after differ most for their lengths; at least `ends` from both ends."""
    num = len(y)
    before = np.arange(ends, num - ends + 1)
    sums = np.cumsum(y)[before - 1]  # y has mean 0
    return int(before[np.argmax(np.abs(sums) / np.sqrt(before * (num - before)))])
