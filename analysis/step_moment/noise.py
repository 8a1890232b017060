"""Autocorrelated noise of a curve: a Gaussian autoregression with a slowly varying spread, and its whitening.

The noise is x_t = s_t u_t, where s_t is a smooth relative spread and u an AR(p) process given by its partial
autocorrelations. Whitening is exact: observations after the start, or after a gap, are predicted from as many earlier
ones as there are (Durbin-Levinson), so that whitened noise is independent with one variance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MAX_ORDER = 4
LARGEST_PARTIAL = 0.98
_NUM_SIMULATED = 40
_LOG_CHI2_MEAN, _LOG_CHI2_VARIANCE = -1.2704, 4.9348
"""Mean and variance of the logarithm of a squared standard normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """A noise model for n observations. `rows[t, k]` is the weight of observation t - k in whitened observation t."""

    partial: Floats
    """Partial autocorrelations, one a lag."""
    spread: Floats
    """Relative standard deviation of each observation."""
    rows: Floats

    def whiten(self, x: Floats) -> Floats:
        """A x for the whitening matrix A; x is (n,) or (n, columns)."""
        weights = self.rows.reshape(*self.rows.shape, *(1,) * (x.ndim - 1))
        white = weights[:, 0] * x
        for lag in range(1, self.rows.shape[1]):
            white[lag:] += weights[lag:, lag] * x[:-lag]
        return white

    def whiten_transposed(self, x: Floats) -> Floats:
        """A^T x, so that inner products with A s are sums over s."""
        weights = self.rows.reshape(*self.rows.shape, *(1,) * (x.ndim - 1))
        back = weights[:, 0] * x
        for lag in range(1, self.rows.shape[1]):
            back[:-lag] += weights[lag:, lag] * x[lag:]
        return back

    def colour(self, white: Floats) -> Floats:
        """A^-1 x: noise made of independent innovations."""
        noise = white.copy()
        order = self.rows.shape[1] - 1
        for t in range(len(white)):
            for lag in range(1, min(order, t) + 1):
                noise[t] -= self.rows[t, lag] * noise[t - lag]
            noise[t] /= self.rows[t, 0]
        return noise

    @property
    def effective_size(self) -> float:
        """The number of independent observations with a mean as sure as that of these: n / (1 + 2 sum of rho_k).

        The long-run variance of the autoregression against its variance; at most n, at least 3.
        """
        coefficients, variances = predictors(self.partial)
        long_run = variances[-1] / (1 - coefficients[-1].sum()) ** 2
        return float(np.clip(len(self.rows) / long_run, 3.0, len(self.rows)))


def predictors(partial: Floats) -> tuple[list[Floats], list[float]]:
    """Best linear predictors from 0, 1, ..., p earlier values, and their error variances relative to the process.

    The Durbin-Levinson recursion (Brockwell and Davis 1991, proposition 5.2.1).
    """
    coefficients: list[Floats] = [np.zeros(0)]
    variances = [1.0]
    for kappa in partial:
        last = coefficients[-1]
        coefficients.append(np.append(last - kappa * last[::-1], kappa))
        variances.append(variances[-1] * (1 - kappa**2))
    return coefficients, variances


def noise_model(partial: Floats, *, spread: Floats, ages: NDArray[np.intp]) -> Noise:
    """The noise with these partial autocorrelations; `ages` counts the observations since the start or the last gap."""
    coefficients, variances = predictors(partial)
    order = len(partial)
    rows = np.zeros((len(spread), order + 1))
    for known in range(order + 1):
        at = ages == known if known < order else ages >= order
        rows[at, : known + 1] = np.append(1.0, -coefficients[known]) * np.sqrt(variances[-1] / variances[known])
    for lag in range(order + 1):
        rows[lag:, lag] /= spread[: len(spread) - lag]
    return Noise(partial=np.asarray(partial, dtype=float), spread=spread, rows=rows)


def white_noise(ages: NDArray[np.intp]) -> Noise:
    """Independent noise of one spread."""
    return noise_model(np.zeros(0), spread=np.ones(len(ages)), ages=ages)


def estimate_noise(residuals: Floats, *, basis: Floats, noise: Noise, ages: NDArray[np.intp], seed: int) -> Noise:
    """Noise of these residuals, corrected for what the fit took away.

    `basis` (orthonormal, whitened) and `noise` are those of the fit that left the residuals. Burg's estimate of partial
    autocorrelations is biased towards zero, more so the more columns the fit has; the bias is simulated and removed
    (indirect inference: the model whose residuals look like these). The order is chosen by BIC.
    """
    spread = _spread(residuals)
    raw = _partial_autocorrelations((residuals / spread)[:, None])[:, 0]
    order = _order(raw, len(residuals))
    raw = raw[:order]
    partial = raw
    draws = np.random.default_rng(seed).standard_normal((len(residuals), _NUM_SIMULATED)) if order else None
    for _ in range(2 if order else 0):
        assert draws is not None
        simulated = noise.whiten(noise_model(partial, spread=spread, ages=ages).colour(draws))
        left = noise.colour(simulated - basis @ (basis.T @ simulated))
        seen = _partial_autocorrelations(left / spread[:, None])[:order].mean(axis=1)
        partial = np.clip(partial + raw - seen, -LARGEST_PARTIAL, LARGEST_PARTIAL)
    return noise_model(partial, spread=spread, ages=ages)


def _partial_autocorrelations(series: Floats) -> Floats:
    """Burg's partial autocorrelations, (lags, columns) of the columns of series (n, columns)."""
    forward, backward = series[1:], series[:-1]
    partial = []
    for _ in range(MAX_ORDER):
        energy = (forward**2).sum(axis=0) + (backward**2).sum(axis=0)
        kappa = 2 * (forward * backward).sum(axis=0) / np.maximum(energy, np.finfo(float).tiny)
        partial.append(kappa)
        forward, backward = (forward - kappa * backward)[1:], (backward - kappa * forward)[:-1]
    return np.array(partial)


def _order(partial: Floats, n: int) -> int:
    """The order with the least BIC."""
    drops = np.append(0.0, np.cumsum(np.log(np.maximum(1 - partial**2, 1e-12))))
    return int(np.argmin(n * drops + np.log(n) * np.arange(len(drops))))


def _spread(residuals: Floats) -> Floats:
    """Relative spread as exp of a quadratic in time, where the residuals speak clearly against a constant one."""
    n = len(residuals)
    size = np.sqrt(np.mean(residuals**2))
    if size == 0:
        return np.ones(n)
    log_squares = np.log((residuals / size) ** 2 + 1e-4)
    x = np.linspace(-1, 1, n)
    design = np.stack([np.ones(n), x, x**2], axis=1)
    coefficients = np.linalg.lstsq(design, log_squares, rcond=None)[0]
    fitted = design @ coefficients - log_squares.mean()
    if (fitted**2).sum() / _LOG_CHI2_VARIANCE < 2 * np.log(n) + 4:
        return np.ones(n)
    return np.asarray(np.exp(np.clip(fitted, -4, 4) / 2))
