"""p-values against "a smooth trend without this break", by a block bootstrap of the whitened residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.scan import Model, Search
from analysis.step_moment.selection import without
from analysis.step_moment.shapes import Change, columns

Floats = NDArray[np.float64]

NUM_SIMULATIONS = 499
_SIMULATIONS_AT_ONCE = 100


def p_value(search: Search, model: Model, *, change: Change, seed: int) -> float:
    """The p-value of one change: how often a simulated curve without it has, anywhere, a change with as large a gain.

    Curves are simulated from the best model without the change, whose trend and noise were fitted without it, with
    resampled noise.
    """
    null = search.model(without(model.changes, change))
    scan = search.scan(null.background, null.changes)
    gains, squares = scan.gains(search.values)
    observed = gains[change.shape, change.at] / squares  # a monotone function of the F statistic
    curves = simulated_curves(search, null, seed=seed)
    drawn = []
    for first in range(0, NUM_SIMULATIONS, _SIMULATIONS_AT_ONCE):
        gains, squares = scan.gains(curves[:, first : first + _SIMULATIONS_AT_ONCE])
        drawn.append(gains.max(axis=(0, 1)) / squares)
    return float(1 + (np.concatenate(drawn) >= observed).sum()) / (1 + NUM_SIMULATIONS)


def simulated_curves(search: Search, model: Model, *, seed: int) -> Floats:
    """(n, NUM_SIMULATIONS) simulated curves: the model's trend without its changes, plus resampled noise.

    The whitened residuals are resampled in blocks, because the model may leave some correlation in them.
    """
    design = columns(model.changes, search.curve.time)
    weighed = model.background.weigh(np.column_stack([search.values, design]))
    coefficients = np.linalg.lstsq(design.T @ weighed[:, 1:], design.T @ weighed[:, 0], rcond=None)[0]
    without_changes = search.values - design @ coefficients
    trend = model.background.trend(without_changes)
    degrees = search.curve.n - 2 - len(model.changes)
    spread = np.sqrt(without_changes @ model.background.weigh(without_changes) / degrees)
    white = model.background.noise.whiten(without_changes - trend)
    white = (white - white.mean()) / white.std() * spread
    return trend[:, None] + model.background.noise.colour(block_bootstrap(white, num=NUM_SIMULATIONS, seed=seed))


def block_bootstrap(innovations: Floats, *, num: int, seed: int) -> Floats:
    """(n, num) series of circular blocks of the innovations (Politis and Romano 1992) of length 2 n^(1/3)."""
    n = len(innovations)
    length = round(2 * n ** (1 / 3))
    starts = np.random.default_rng(seed).integers(n, size=(-(-n // length), 1, num))
    places = (starts + np.arange(length)[:, None]).reshape(-1, num)[:n] % n
    return np.asarray(innovations[places])
