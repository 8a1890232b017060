"""First guesses for many changes at once, from the bottom-up search of `ruptures` on segmented straight lines.

Adding changes one by one can miss a rise and its fall, which only together explain anything; merging neighbouring
segments, cheapest first, cannot. The cost of a segment is the residual sum of squares of the whitened curve on a
whitened line, from cumulative sums in constant time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.noise import Noise
from analysis.step_moment.shapes import EDGE

Floats = NDArray[np.float64]

_GRID = 200
"""The curve is cut into at most so many pieces before merging."""


def segment_borders(values: Floats, *, time: Floats, noise: Noise, num_borders: int) -> list[int]:
    """Observations at which the segments begin, without the first: at most num_borders of them, increasing."""
    import ruptures

    cost = _line_cost(ruptures.base.BaseCost, values, time=time, noise=noise)
    jump = max(5, len(values) // _GRID)
    pieces = len(values) // jump
    search = ruptures.BottomUp(custom_cost=cost, jump=jump, min_size=jump).fit(values)
    borders = search.predict(n_bkps=max(1, min(num_borders, pieces // 3)))[:-1]
    return [int(border) for border in borders if EDGE <= border <= len(values) - EDGE]


def line_costs(values: Floats, *, time: Floats, noise: Noise) -> Floats:
    """Cumulative products (n + 1, 6) of the whitened ones, time and values: aa, ab, bb, az, bz, zz."""
    a, b, z = noise.whiten(np.ones_like(time)), noise.whiten(time), noise.whiten(values)
    products = np.stack([a * a, a * b, b * b, a * z, b * z, z * z], axis=1)
    return np.concatenate([np.zeros((1, 6)), np.cumsum(products, axis=0)])


def line_cost(sums: Floats, start: int, end: int) -> float:
    """Residual sum of squares of one line over observations start..end - 1."""
    aa, ab, bb, az, bz, zz = (sums[end] - sums[start]).tolist()
    determinant = aa * bb - ab * ab
    if determinant <= 1e-12 * aa * bb:
        return float(zz - az * az / aa) if aa > 0 else 0.0
    return float(zz - (bb * az * az - 2 * ab * az * bz + aa * bz * bz) / determinant)


def _line_cost(parent: Any, values: Floats, *, time: Floats, noise: Noise) -> Any:
    """An object of ruptures' cost interface."""
    sums = line_costs(values, time=time, noise=noise)

    class LineCost(parent):  # type: ignore[misc] - the parent class is known only once ruptures is loaded
        model = "whitened line"
        min_size = 3

        def fit(self, signal: Floats) -> LineCost:
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            return line_cost(sums, start, end)

    return LineCost()
