"""Synthetic training curves that level off, with correlated noise, whose later part is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
SHAPES = ("sigmoid", "power", "exponential")
LENGTHS = (120, 240, 480, 960)
CORRELATIONS = (0.0, 0.3, 0.6, 0.8)


@dataclass(frozen=True, slots=True, kw_only=True)
class SaturatingCurve:
    """A curve with its later half."""

    shape: str
    correlation: float
    """Of the noise of neighbouring steps."""
    steps: Array
    values: Array

    @property
    def half(self) -> int:
        """Steps of the first half."""
        return len(self.steps) // 2

    @property
    def end(self) -> float:
        """The mean over the last tenth of the steps."""
        return float(self.values[-max(1, len(self.values) // 10) :].mean())


def a_saturating_curve(number: int, *, seed: int = 0) -> SaturatingCurve:
    """Curve `number`: a reward that starts between 0 and .3 and rises by .2 or more, with noise of .008 to .04."""
    rng = np.random.default_rng([seed, number])
    num, shape = int(rng.choice(LENGTHS)), SHAPES[number % len(SHAPES)]
    steps: Array = np.arange(1, num + 1, dtype=np.float64)
    start = rng.uniform(0, 0.3)
    end = rng.uniform(start + 0.2, 0.97)
    way: Array
    if shape == "sigmoid":
        way = 1 / (1 + (rng.uniform(0.05, 0.8) * num / steps) ** rng.uniform(0.8, 3))
    elif shape == "power":
        way = 1 - (1 + steps / (num * rng.uniform(0.02, 0.5))) ** -rng.uniform(0.3, 2)
    else:
        way = 1 - np.exp(-steps / (num * rng.uniform(0.1, 0.8)))
    correlation = float(rng.choice(CORRELATIONS))
    noise, fresh = np.zeros(num + 100), rng.standard_normal(num + 100)
    for at in range(1, num + 100):
        noise[at] = correlation * noise[at - 1] + np.sqrt(1 - correlation**2) * fresh[at]
    values = start + (end - start) * way + rng.uniform(0.008, 0.04) * noise[100:]
    return SaturatingCurve(shape=shape, correlation=correlation, steps=steps, values=values)
