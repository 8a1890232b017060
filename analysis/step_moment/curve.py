"""A curve as it was given, checked and scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from orz_bench.errors import DataError

Floats = NDArray[np.float64]

GAP = 10
"""Times the usual distance of two steps: what lies further apart is not correlated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The finite observations of a metric."""

    metric: str
    steps: Floats
    values: Floats

    @property
    def time(self) -> Floats:
        """Steps scaled to 0..1."""
        return np.asarray((self.steps - self.steps[0]) / self.span)

    @property
    def span(self) -> float:
        """Steps from the first to the last observation."""
        return float(self.steps[-1] - self.steps[0])

    @property
    def ages(self) -> NDArray[np.intp]:
        """Observations since the start or the last gap."""
        distances = np.diff(self.steps)
        starts = np.append(True, distances > GAP * np.median(distances))
        places = np.arange(len(self.steps))
        return places - np.maximum.accumulate(np.where(starts, places, 0))


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
