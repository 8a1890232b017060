"""p-values against "smooth trend, no break here": a block bootstrap of the whitened residuals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.step_moment.segmented import Regression, Scan
from analysis.step_moment.shapes import Change, inner_products

Floats = NDArray[np.float64]

NUM_BOOTSTRAPS = 499
_FINE = 700
"""Longer curves are searched at every second, third, ... observation, as observed and in the bootstrap alike."""


class NullWorlds:
    """Bootstrap noise for one curve: innovations of the best model, resampled in blocks."""

    def __init__(self, regression: Regression, residuals: Floats, *, seed: int) -> None:
        """`residuals` are whitened, and already scaled up for the columns that the fit used."""
        self.regression = regression
        self.innovations = block_bootstrap(residuals, num=NUM_BOOTSTRAPS, seed=seed)
        self.stride = -(-len(residuals) // _FINE)
        products = inner_products(self.innovations, noise=regression.noise, time=regression.time)
        self.products = np.ascontiguousarray(products[:, :: self.stride], dtype=np.float32)

    def p_value(self, others: tuple[Change, ...]) -> float:
        """Of adding the best change to the others, at the place and on the trend that suit it best.

        The statistic is the fall of the criterion from the best smooth trend without the change to the best one with
        it, in each bootstrap world as in the observed one. A world is the best fit without the change plus noise.
        """
        scans = [self.regression.scan(others, family=family) for family in range(len(self.regression.families))]
        null = min(scans, key=lambda scan: scan.model.criterion)
        end = null.ends[null.model.size]
        fitted = null.basis[:, :end] @ null.scores[:end]
        worlds = fitted[:, None] + self.innovations
        fitted_products = inner_products(fitted, noise=self.regression.noise, time=self.regression.time)
        products = self.products + fitted_products[:, :: self.stride, None].astype(np.float32)
        drawn = _statistics(scans, worlds, products=products, stride=self.stride)
        target = self.regression.target[:, None]
        raw = inner_products(target, noise=self.regression.noise, time=self.regression.time)[:, :: self.stride]
        observed = _statistics(scans, target, products=raw, stride=self.stride)[0]
        return float(1 + (drawn >= observed).sum()) / (1 + len(drawn))


def block_bootstrap(residuals: Floats, *, num: int, seed: int) -> Floats:
    """(n, num) series of circular blocks of the centred residuals (Politis and Romano 1992), of length 2 n^(1/3)."""
    n = len(residuals)
    length = max(2, round(2 * n ** (1 / 3)))
    starts = np.random.default_rng(seed).integers(n, size=(-(-n // length), 1, num))
    places = (starts + np.arange(length)[:, None]).reshape(-1, num)[:n] % n
    return np.asarray((residuals - residuals.mean())[places])


def _statistics(scans: list[Scan], worlds: Floats, *, products: NDArray[np.floating], stride: int) -> Floats:
    """The fall of the criterion in every world (n, worlds)."""
    n = len(worlds)
    squares = (worlds**2).sum(axis=0)
    without, with_change = [], []
    for scan in scans:
        scores = scan.basis.T @ worlds
        explained = np.cumsum(scores**2, axis=0)
        left = products.copy()
        start = 0
        for index, end in enumerate(scan.ends):
            span = slice(start, end)
            left -= (scan.projections[:, ::stride, span] @ scores[span]).astype(left.dtype)
            scale = (1 / np.sqrt(scan.new_norms[index, :, ::stride])).astype(left.dtype)
            gains = np.abs(left * scale[:, :, None]).max(axis=(0, 1)).astype(float) ** 2
            rss = squares - explained[end - 1]
            without.append(n * np.log(np.maximum(rss, 1e-300)) + scan.costs[index])
            with_change.append(n * np.log(np.maximum(rss - gains, 1e-300)) + scan.costs[index])
            start = end
    return np.asarray(np.min(without, axis=0) - np.min(with_change, axis=0))
