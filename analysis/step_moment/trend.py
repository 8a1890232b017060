"""Smooth trends: nested regression splines over steps, and over their logarithm for curves that rise fast and level off.

Both families begin with a straight line. Each size adds columns to the size before, so that one QR decomposition
serves all sizes. Knots lie no closer than `SHORTEST_BEND` observations: what bends faster is not a smooth trend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SHORTEST_BEND = 20
MOST_KNOTS = 31
MOST_LOG_KNOTS = 7
LOG_SCALE = 50
"""The logarithm is that of 1 + 50 t, t from 0 to 1 over the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """One family of trends: the first `sizes[i]` columns span its i-th member."""

    columns: Floats
    sizes: tuple[int, ...]


def trend_families(steps: Floats) -> tuple[Trends, ...]:
    """Cubic splines in steps and in log steps, for increasing steps (n,)."""
    time = (steps - steps[0]) / (steps[-1] - steps[0])
    log_time = np.log1p(LOG_SCALE * time) / np.log1p(LOG_SCALE)
    most = len(steps) // SHORTEST_BEND - 1
    line = np.stack([np.ones_like(time), time], axis=1)
    plain = _splines(time, most_knots=min(most, MOST_KNOTS))
    warped = _splines(log_time, most_knots=min(most, MOST_LOG_KNOTS))
    return (
        _family([line, time[:, None] ** 2, time[:, None] ** 3, *plain]),
        _family([line, log_time[:, None], log_time[:, None] ** 2, log_time[:, None] ** 3, *warped]),
    )


def _splines(x: Floats, *, most_knots: int) -> list[Floats]:
    """Truncated cubes at 1, then 2, then 4, ... new dyadic knots: together 1, 3, 7, ... knots, evenly spaced."""
    groups = []
    denominator = 2
    while denominator - 1 <= most_knots:
        knots = np.arange(1, denominator, 2) / denominator
        groups.append(np.maximum(x[:, None] - knots, 0.0) ** 3)
        denominator *= 2
    return groups


def _family(groups: list[Floats]) -> Trends:
    sizes = np.cumsum([group.shape[1] for group in groups])
    return Trends(columns=np.concatenate(groups, axis=1), sizes=tuple(int(size) for size in sizes))
