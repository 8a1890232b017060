"""A curve as it was given, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter, percentile_filter, uniform_filter1d

from orz_bench.errors import DataError

Floats = NDArray[np.float64]

LASTING = 10
"""Observations that two changes are apart, and a change is from both ends: what is undone sooner is an outlier."""
_OUTLYING = 4.0
"""Standard deviations from the running median; what lies beyond is drawn in."""
_LARGEST_RATIO = 4.0
"""Of the noise's local scale to its usual one, either way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The finite observations of a metric, n of them."""

    metric: str
    steps: Floats
    """(n,), increasing."""
    values: Floats
    """(n,), in the metric's units."""

    @property
    def n(self) -> int:
        """How many observations."""
        return len(self.values)

    @property
    def time(self) -> Floats:
        """(n,) steps in units of the usual distance between two, from 0."""
        return np.asarray((self.steps - self.steps[0]) / np.median(np.diff(self.steps)))

    @property
    def noise_scale(self) -> Floats:
        """(n,) standard deviation of the noise at each step over its geometric mean.

        A running median of absolute second differences over a third of the curve: neither a smooth trend nor a break
        moves it. Lengths, for one, scatter in proportion to their level.
        """
        second = np.abs(np.diff(self.values, 2))
        half = max(25, self.n // 6)
        around = percentile_filter(np.pad(second, 1, mode="edge"), 50, size=2 * half + 1, mode="reflect")
        scale = uniform_filter1d(around, 2 * half + 1, mode="reflect")
        usual = float(np.median(scale))
        if usual == 0:
            return np.ones(self.n)
        scale = np.clip(scale / usual, 1 / _LARGEST_RATIO, _LARGEST_RATIO)
        return np.asarray(scale / np.exp(np.log(scale).mean()))

    @property
    def tamed(self) -> Floats:
        """(n,) the values without outliers: drawn in to four deviations from the running median of 2 LASTING + 1.

        The running median follows a lasting jump at once, and nothing that is undone within LASTING observations.
        """
        around = np.pad(self.values, LASTING, mode="reflect", reflect_type="odd")
        usual = median_filter(around, 2 * LASTING + 1)[LASTING:-LASTING]
        off = self.values - usual
        scale = self.noise_scale
        reach = _OUTLYING * 1.4826 * float(np.median(np.abs(off / scale))) * scale
        return np.asarray(usual + np.clip(off, -reach, reach)) if reach.any() else self.values


def read_curve(steps: ArrayLike, values: ArrayLike, *, metric: str) -> Curve:
    """The finite observations as float arrays.

    Raises:
        DataError: where the two do not match, or steps do not increase.
    """
    x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"{metric} has steps of shape {x.shape} and values of shape {y.shape}; give one value a step")
    if not np.isfinite(x).all() or (np.diff(x) <= 0).any():
        at = int(np.argmax(~(np.diff(x) > 0))) + 1 if len(x) > 1 else 0
        raise DataError(
            f"{metric}: step {x[at]:g} at row {at} does not follow its predecessor; sort, keep one row a step"
        )
    finite = np.isfinite(y)
    return Curve(metric=metric, steps=x[finite], values=y[finite])
