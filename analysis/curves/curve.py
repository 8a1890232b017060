"""Curves: one number per step, of one run or of several runs that differ only in their seed. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
_MAX_WINDOW = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Values over steps, ascending; all arrays have one shape."""

    steps: Array
    values: Array
    """Mean over the runs."""
    low: Array | None = None
    """Lowest of the runs; None for one run."""
    high: Array | None = None
    """Highest of the runs; None for one run."""
    num_runs: int = 1


def curve_of(parts: Sequence[tuple[Array, Array]]) -> Curve | None:
    """The curve of one or more runs, each (steps, values), at the steps that all of them have.

    Values that are not finite count as absent. None if no step is left.
    """
    known = [dict(zip(steps.tolist(), values.tolist(), strict=True)) for steps, values in parts]
    finite = [{step: value for step, value in run.items() if np.isfinite(value)} for run in known]
    steps = sorted(set.intersection(*map(set, finite))) if finite else []
    if not steps:
        return None
    table = np.array([[run[step] for step in steps] for run in finite])
    is_band = len(finite) > 1
    return Curve(
        steps=np.array(steps, dtype=np.float64),
        values=table.mean(axis=0),
        low=table.min(axis=0) if is_band else None,
        high=table.max(axis=0) if is_band else None,
        num_runs=len(finite),
    )


def window_for(num_points: int) -> int:
    """Number of steps to smooth over: odd, a twentieth of the points, at most 15, and 1 below 40 points."""
    return min(_MAX_WINDOW, 2 * (num_points // 40) + 1)


def smooth(values: Array, window: int) -> Array:
    """Centred running mean over `window` (odd) values; NaN within half a window of both ends.

    A mean over fewer values would follow the raw last point, which would look like a turn of the curve. No mean leaves
    the range of its values, not by a rounding error: a constant curve would have an axis of such errors.
    """
    means = np.full(len(values), np.nan)
    window = min(window, len(values) - 1 + len(values) % 2)  # odd, and no wider than the curve
    if window > 0:
        windows = np.lib.stride_tricks.sliding_window_view(values, window)
        half = window // 2
        means[half : len(values) - half] = windows.mean(axis=1).clip(windows.min(axis=1), windows.max(axis=1))
    return means
