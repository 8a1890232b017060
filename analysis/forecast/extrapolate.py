"""The end of a curve by both laws together, with an interval from a block bootstrap. Pure functions.

A bagged posterior (Huggins and Miller, arXiv 2007.14845): each replicate of the curve, made by moving blocks of
residuals, draws one pair of shapes by its likelihood. It allows for noise, for the choice of the law, and for shapes
that fit the observed steps alike and part later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.forecast.laws import LAWS, Array, fit, grid_for

REPLICATES = 400
LEVEL = 0.9
_POINTS = 20
"""Places at which the last tenth of the steps is evaluated."""
_MOST_CORRELATED = 0.95
_FREE = 4
"""Fitted numbers of a law."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extrapolation:
    """The mean of a curve over the last tenth of its steps up to `at`."""

    at: float
    value: float
    low: float
    """With `high`: the 90 % interval."""
    high: float
    ceiling: float
    """Median of A."""
    ceiling_low: float
    ceiling_high: float
    by_law: dict[str, float]
    """The best fit of each law there."""
    share_of_law: dict[str, float]
    """Replicates that drew a law."""
    correlation: float
    """Of neighbouring residuals."""
    block: int
    """Observations of a block."""


def extrapolate(x_N: Array, y_N: Array, *, at: float, bounds: tuple[float, float], seed: int) -> Extrapolation:  # noqa: N803
    """`x_N`: steps from the start of the fitted part, above 0 and increasing; `at` on the same scale."""
    rng, num = np.random.default_rng(seed), len(x_N)
    grid = grid_for(x_N, y_N, bounds=bounds)
    columns = grid.columns(x_N)
    later = grid.columns(np.linspace(0.9 * at, at, _POINTS)).mean(axis=1)
    fits = fit(columns, y_N[:, None], bounds=bounds)
    best = [int(np.flatnonzero(grid.law_G == law)[fits.errors_GC[grid.law_G == law, 0].argmin()]) for law in (0, 1)]
    curves = np.array([_curve(fits.starts_GC[g, 0], fits.ends_GC[g, 0], way=columns[g]) for g in best])
    errors = fits.errors_GC[best, 0]
    residuals = y_N - curves[int(errors.argmin())]
    correlation = _correlation(residuals)
    worth = num * (1 - correlation) / (1 + correlation)
    block = min(max(1, round(num ** (1 / 3) * (1 + correlation) / (1 - correlation))), max(1, num // 4))
    weights = np.exp(-worth / 2 * np.log(errors / errors.min()))
    made_by = rng.choice(2, size=REPLICATES, p=weights / weights.sum())
    scale = np.sqrt(worth / max(worth - _FREE, 1.0))
    noise = residuals - residuals.mean()
    replicates = curves[made_by].T + scale * _blocks(noise, block, num=num, rng=rng)
    again = fit(columns, replicates, bounds=bounds)
    likelihood = -worth / 2 * np.log(again.errors_GC / again.errors_GC.min(axis=0))
    drawn = (likelihood + rng.gumbel(size=likelihood.shape)).argmax(axis=0)
    picked = (drawn, np.arange(REPLICATES))
    ceilings, starts = again.ends_GC[picked], again.starts_GC[picked]
    num_later = max(1, round(num * 0.1 * at / float(x_N[-1])))
    ends = starts + (ceilings - starts) * later[drawn]
    ends += _blocks(noise, min(block, num_later), num=num_later, rng=rng).mean(axis=0)
    tails = [100 * (1 - LEVEL) / 2, 50, 100 * (1 + LEVEL) / 2]
    (low, value, high), (ceiling_low, ceiling, ceiling_high) = (np.percentile(of, tails) for of in (ends, ceilings))
    found = [_curve(fits.starts_GC[g, 0], fits.ends_GC[g, 0], way=later[g]) for g in best]
    return Extrapolation(
        at=at,
        value=float(value),
        low=float(low),
        high=float(high),
        ceiling=float(ceiling),
        ceiling_low=float(ceiling_low),
        ceiling_high=float(ceiling_high),
        by_law=dict(zip(LAWS, map(float, found), strict=True)),
        share_of_law={law: float((grid.law_G[drawn] == number).mean()) for number, law in enumerate(LAWS)},
        correlation=correlation,
        block=block,
    )


def _curve(start: float, end: float, *, way: Array) -> Array:
    found: Array = start + (end - start) * way
    return found


def _correlation(residuals: Array) -> float:
    """Of neighbours, between 0 and .95."""
    before, after = residuals[:-1] - residuals.mean(), residuals[1:] - residuals.mean()
    square = float(((residuals - residuals.mean()) ** 2).sum())
    return min(max(float(before @ after) / square, 0.0), _MOST_CORRELATED) if square > 0 else 0.0


def _blocks(residuals: Array, size: int, *, num: int, rng: np.random.Generator) -> Array:
    """(num, REPLICATES): joined random blocks of neighbouring residuals; their end is followed by their start."""
    starts = rng.integers(0, len(residuals), size=(REPLICATES, -(-num // size)))
    places = (starts[:, :, None] + np.arange(size)) % len(residuals)
    found: Array = residuals[places].reshape(REPLICATES, -1)[:, :num].T
    return found
