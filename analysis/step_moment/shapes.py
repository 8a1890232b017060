"""The shapes of a break, and their inner products with a series at every place by cumulative sums.

A change of level from observation i on is a ramp of w observations to its full height (w = 1: a jump); a change of
slope is max(t - t_i, 0). The inner product of a jump with x is a sum over the tail of x, that of a ramp is a mean of w
such sums, and that of a slope a difference of two: one reversed cumulative sum covers all places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.background import Background
from analysis.step_moment.curve import LASTING

Floats = NDArray[np.float64]
Kind = Literal["level", "slope"]

WIDTHS = (1, 5, 10, 20)
"""Number of observations over which a change of level takes place."""
SLOPE = len(WIDTHS)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Change:
    """A break in a model: observation `at` is the first after it (slope: the last before it)."""

    at: int
    shape: int

    @property
    def kind(self) -> Kind:
        """Whether it is a change of level or of slope."""
        return "slope" if self.shape == SLOPE else "level"

    @property
    def middle(self) -> float:
        """The observation, possibly half-way between two, at which half of the change is complete."""
        return float(self.at) if self.shape == SLOPE else self.at + (WIDTHS[self.shape] - 1) / 2

    @property
    def last_before(self) -> int:
        """The last observation that the change does not affect."""
        return self.at if self.shape == SLOPE else self.at - 1


def columns(changes: tuple[Change, ...], time: Floats) -> Floats:
    """(n, changes): each change with height or slope 1."""
    if not changes:
        return np.zeros((len(time), 0))
    return np.stack([_column(change, time) for change in changes], axis=1)


def _column(change: Change, time: Floats) -> Floats:
    if change.shape == SLOPE:
        return np.asarray(np.maximum(time - time[change.at], 0.0))
    return np.clip((np.arange(len(time)) - change.at + 1) / WIDTHS[change.shape], 0.0, 1.0)


def allowed(n: int, changes: tuple[Change, ...] = ()) -> NDArray[np.bool_]:
    """(shapes, n): whether a change of the shape may begin at the observation, given these changes."""
    middles = np.arange(n) + (np.array([*WIDTHS, 1])[:, None] - 1) / 2
    is_free = (middles >= LASTING) & (middles <= n - LASTING)
    for change in changes:
        is_free &= np.abs(middles - change.middle) >= LASTING
    return is_free


def inner_products(x: Floats, time: Floats) -> Floats:
    """Inner products of every shape at every observation with x (n,) or (n, m): (shapes, n) or (shapes, n, m)."""
    t = time.reshape(-1, *(1,) * (x.ndim - 1))
    tails = _tail_sums(x)
    return np.stack([*(_mean_of_next(tails, width) for width in WIDTHS), _tail_sums(x * t) - t * tails])


def squared_norms(background: Background) -> Floats:
    """Weighted squared norms of every shape at every observation: the diagonal of S'QS, (shapes, n). O(n^2)."""
    n, t = len(background.time), background.time
    jumps = _tail_sums(background.weigh(np.tri(n)))
    ramps = [_mean_of_next(_mean_of_next(jumps, width).T, width).diagonal() for width in WIDTHS]
    slopes = np.maximum(t[:, None] - t, 0.0)
    return np.stack([*ramps, (slopes * background.weigh(slopes)).sum(axis=0)])


def _tail_sums(x: Floats) -> Floats:
    return np.cumsum(x[::-1], axis=0)[::-1]


def _mean_of_next(tails: Floats, width: int) -> Floats:
    """A ramp is the mean of the jumps at its observations; jumps beyond the end are zero."""
    sums = np.concatenate([np.zeros_like(tails[:1]), np.cumsum(tails, axis=0)])
    ends = np.minimum(np.arange(len(tails)) + width, len(tails))
    return np.asarray((sums[ends] - sums[:-1]) / width)
