"""Noise of a curve: a first-order autoregression for any spacing of the steps and any scale."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Noise:
    """Covariance D R D, where R is `correlation` to the power of the distance and D is the scale."""

    time: Floats
    """(n,) in units of the median distance between two observations."""
    scale: Floats
    """(n,) standard deviation, up to a factor."""
    correlation: float
    """At least 0 and less than 1."""

    def whiten(self, noise: Floats) -> Floats:
        """Transform such noise, (n,) or (n, m), to uncorrelated noise of unit scale."""
        scale, decay, spread = self._by_row(noise)
        white = noise / scale
        white[1:] -= decay * white[:-1].copy()
        return np.asarray(white / spread)

    def colour(self, white: Floats) -> Floats:
        """Transform white noise (n, m) to such noise: the inverse of `whiten`."""
        scale, decay, spread = self._by_row(white)
        noise = white * spread
        for at in range(1, len(noise)):
            noise[at] += decay[at - 1] * noise[at - 1]
        return np.asarray(noise * scale)

    def weigh(self, x: Floats) -> Floats:
        """The precision matrix times x, (n,) or (n, m): whitening, then its transpose."""
        scale, decay, spread = self._by_row(x)
        white = self.whiten(x) / spread
        white[:-1] -= decay * white[1:].copy()
        return np.asarray(white / scale)

    @cached_property
    def log_determinant(self) -> float:
        """Log determinant of the covariance."""
        return 2 * float(np.log(self.scale * self._spread).sum())

    @cached_property
    def _decay(self) -> Floats:
        """(n - 1,) correlation of consecutive observations."""
        return np.asarray(self.correlation ** np.diff(self.time))

    @cached_property
    def _spread(self) -> Floats:
        """(n,) standard deviation of an observation given its past, at scale 1."""
        return np.append(1.0, np.sqrt(1 - self._decay**2))

    def _by_row(self, x: Floats) -> tuple[Floats, Floats, Floats]:
        by_row = (-1, *(1,) * (x.ndim - 1))
        return self.scale.reshape(by_row), self._decay.reshape(by_row), self._spread.reshape(by_row)
