"""Rises told from rebounds, and lasting rises from those that were soon lost, on the fitted curve without noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.shapes import SLOPE, WIDTHS, Change

Floats = NDArray[np.float64]

MOSTLY = 0.75
"""The share of a rise that must have been lost before (rebound), or after (undone)."""


def is_rebound(fitted: Floats, change: Change, *, end: int) -> bool:
    """Whether the rise that begins here mostly recovers an earlier fall; `end` is where the next change begins."""
    start, top = _rise(fitted, change, end=end)
    rise = top - start
    fall = float(fitted[: change.at + 1].max()) - start
    return rise > 0 and fall >= MOSTLY * rise


def undone_at(steps: Floats, fitted: Floats, change: Change) -> float | None:
    """The step at which most of the rise that begins here is lost again; None where it lasts, or is no rise."""
    start = float(fitted[_last_before(change)])
    later = fitted[change.at :]
    if change.shape != SLOPE:
        top = np.full(len(later), fitted[_first_after(change, len(fitted))])
    else:
        top = np.maximum.accumulate(later)
    rise = top - start
    is_lost = (np.arange(len(later)) >= _first_after(change, len(fitted)) - change.at) & (rise > 0)
    is_lost &= top - later >= MOSTLY * rise
    return float(steps[change.at + int(np.argmax(is_lost))]) if is_lost.any() else None


def _rise(fitted: Floats, change: Change, *, end: int) -> tuple[float, float]:
    """(level before, highest level reached): at once for a change of level, until the next change for one of slope."""
    first = _first_after(change, len(fitted))
    top = fitted[change.at : end].max() if change.shape == SLOPE else fitted[first]
    return float(fitted[_last_before(change)]), float(top)


def _last_before(change: Change) -> int:
    return change.at if change.shape == SLOPE else change.at - 1


def _first_after(change: Change, n: int) -> int:
    return change.at if change.shape == SLOPE else min(change.at + WIDTHS[change.shape] - 1, n - 1)
