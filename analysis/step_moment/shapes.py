"""The shapes that a break may have, and their inner products with anything at every position, by cumulative sums.

A level change from observation i on is a ramp of w observations up to its full height (w = 1: a jump); a slope change is
max(t - t_i, 0). For whitening A and a whitened vector x, the inner product of A s with x is that of s with A^T x: a sum
over the tail, hence one reversed cumulative sum for all positions at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.noise import Noise

Floats = NDArray[np.float64]
Kind = Literal["level", "slope"]

WIDTHS = (1, 5, 10, 20)
"""Observations in which a level change is completed."""
SLOPE = len(WIDTHS)
NUM_SHAPES = len(WIDTHS) + 1
EDGE = 15
"""Observations before the first and after the last change that can be found."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """A break's place in a model: observation `at` is the first (slope: the last) that does not differ from before."""

    at: int
    shape: int

    @property
    def kind(self) -> Kind:
        """Whether it changes the level or the slope."""
        return "slope" if self.shape == SLOPE else "level"

    @property
    def middle(self) -> float:
        """The observation, perhaps half-way between two, at which half of the change is done."""
        return float(self.at) if self.shape == SLOPE else self.at + (WIDTHS[self.shape] - 1) / 2


def column(change: Change, time: Floats) -> Floats:
    """The change as a regressor of height or slope 1 (n,)."""
    if change.shape == SLOPE:
        return np.maximum(time - time[change.at], 0.0)
    return np.clip((np.arange(len(time)) - change.at + 1) / WIDTHS[change.shape], 0.0, 1.0)


def allowed(n: int) -> NDArray[np.bool_]:
    """(shapes, n): whether a change of the shape may begin at the observation."""
    at = np.arange(n)
    ends = np.array([*WIDTHS, 1])[:, None] - 1 + at
    return (at >= EDGE) & (ends <= n - EDGE)


def inner_products(x: Floats, *, noise: Noise, time: Floats) -> Floats:
    """Of every shape at every observation, whitened, with the whitened x (n,) or (n, columns): (shapes, n[, columns])."""
    weights = noise.whiten_transposed(x)
    tails = _tail_sums(weights)
    moments = _tail_sums(weights * time.reshape(-1, *(1,) * (x.ndim - 1)))
    slopes = moments - time.reshape(-1, *(1,) * (x.ndim - 1)) * tails
    return np.stack([*(_mean_of_next(tails, width) for width in WIDTHS), slopes])


def squared_norms(noise: Noise, time: Floats) -> Floats:
    """Of every shape at every observation, whitened: (shapes, n)."""
    return np.stack([*(_ramp_norms(noise, width) for width in WIDTHS), _slope_norms(noise, time)])


def _tail_sums(x: Floats) -> Floats:
    return np.cumsum(x[::-1], axis=0)[::-1]


def _mean_of_next(tails: Floats, width: int) -> Floats:
    """A ramp is the mean of the jumps at its observations; beyond the end there is nothing to jump."""
    if width == 1:
        return tails
    sums = np.concatenate([np.zeros_like(tails[:1]), np.cumsum(tails, axis=0)])
    ends = np.minimum(np.arange(len(tails)) + width, len(tails))
    return (sums[ends] - sums[:-1]) / width


def _ramp_norms(noise: Noise, width: int) -> Floats:
    """The whitened ramp is d_t = the sum of row t once all observations of the row are at full height."""
    n, lags = noise.rows.shape
    padded = np.concatenate([noise.rows, np.zeros((width + lags, lags))])
    reach = width + lags - 2
    tails = np.append(_tail_sums(padded.sum(axis=1) ** 2), 0.0)
    norms = tails[np.arange(n) + reach]
    for offset in range(reach):
        heights = np.clip((offset - np.arange(lags) + 1) / width, 0.0, 1.0)
        norms = norms + (padded[offset : offset + n] @ heights) ** 2
    return norms


def _slope_norms(noise: Noise, time: Floats) -> Floats:
    n, lags = noise.rows.shape
    padded = np.concatenate([noise.rows, np.zeros((lags, lags))])
    times = np.append(time, np.zeros(lags))
    sums = padded.sum(axis=1)
    weighted = np.zeros(len(padded))
    for lag in range(lags):
        weighted[lag:] += padded[lag:, lag] * times[: len(times) - lag]
    start = np.arange(n) + lags - 1
    squares, products, moments = (np.append(_tail_sums(x), 0.0)[start] for x in (sums**2, sums * weighted, weighted**2))
    norms = moments - 2 * time * products + time**2 * squares
    for offset in range(1, lags - 1):
        value = np.zeros(n)
        for lag in range(offset):
            later = np.minimum(np.arange(n) + offset - lag, n - 1)
            value += padded[offset : offset + n, lag] * (time[later] - time)
        norms = norms + value**2
    return norms
