"""A validated curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import median_filter, percentile_filter, uniform_filter1d

from orz_bench.errors import DataError

Floats = NDArray[np.float64]

LASTING = 10
"""Minimum number of observations between two changes, and from a change to either end; a shorter one is an outlier."""
_OUTLYING = 4.0
"""Standard deviations from the running median beyond which values are clipped."""
_LARGEST_RATIO = 4.0
"""Largest ratio of the local noise scale to the median one, and of the median one to the local one."""


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
        """Number of observations."""
        return len(self.values)

    @property
    def time(self) -> Floats:
        """(n,) steps from 0 in units of the median distance between two."""
        return np.asarray((self.steps - self.steps[0]) / np.median(np.diff(self.steps)))

    @property
    def noise_scale(self) -> Floats:
        """(n,) standard deviation of the noise at each step, divided by its geometric mean.

        A running median of absolute second differences over a third of the curve, which neither a smooth trend nor a
        break affects. The noise of lengths, for example, is proportional to their level.
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
        """(n,) values with outliers clipped to four deviations from the running median over 2 LASTING + 1.

        The running median follows a lasting jump at once, and ignores changes undone within LASTING observations.
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
        DataError: if the shapes differ, or the steps do not increase.
    """
    x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"{metric} has steps of shape {x.shape} and values of shape {y.shape}; give one value per step")
    if not np.isfinite(x).all() or (np.diff(x) <= 0).any():
        at = int(np.argmax(~(np.diff(x) > 0))) + 1 if len(x) > 1 else 0
        raise DataError(
            f"{metric}: step {x[at]:g} at row {at} is not greater than its predecessor; sort, and keep one row per step"
        )
    finite = np.isfinite(y)
    return Curve(metric=metric, steps=x[finite], values=y[finite])
