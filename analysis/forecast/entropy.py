"""The entropy law: the reward that a policy is left with when its entropy is spent. Pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.forecast.forecast import SHORTEST
from analysis.forecast.laws import Array

_REPLICATES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EntropyLaw:
    """R = b - a exp(H), fitted by least squares (Cui et al., arXiv 2505.22617, equation 1)."""

    a: float
    b: float
    ceiling: float
    """R at H = 0: b - a."""
    low: float
    """With `high`: the 90 % interval of the ceiling, from blocks of residuals."""
    high: float
    explained: float
    """Share of the variance of R."""


def entropy_law(entropy: Array, reward: Array, *, seed: int = 0) -> EntropyLaw | None:
    """From the steps that have both; None for fewer than 60, or if one of them does not vary."""
    known = np.isfinite(entropy) & np.isfinite(reward)
    spent, found = np.exp(entropy[known]), reward[known].astype(np.float64)
    if len(found) < SHORTEST or np.ptp(spent) == 0 or np.ptp(found) == 0:
        return None
    design = np.column_stack([-spent, np.ones(len(spent))])
    solve = np.linalg.pinv(design)
    a, b = solve @ found
    residuals = found - design @ np.array([a, b])
    rng, size = np.random.default_rng(seed), max(1, round(2 * len(found) ** (1 / 3)))
    starts = rng.integers(0, len(found), size=(_REPLICATES, -(-len(found) // size)))
    places = ((starts[:, :, None] + np.arange(size)) % len(found)).reshape(_REPLICATES, -1)[:, : len(found)]
    again = (design @ np.array([a, b]) + residuals[places]) @ solve.T
    low, high = np.percentile(again[:, 1] - again[:, 0], [5, 95])
    return EntropyLaw(
        a=float(a),
        b=float(b),
        ceiling=float(b - a),
        low=float(low),
        high=float(high),
        explained=float(1 - residuals.var() / found.var()),
    )
