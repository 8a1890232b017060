"""Synthetic training curves with known step moments: smooth trends, autocorrelated noise, changes of level and slope.

Noise has a marginal standard deviation of 1 (the growing one: 1 on average), so that sizes are in noise standard
deviations. Each curve is a function of (scenario, noise, number), nothing else.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rng = np.random.Generator

LENGTHS = (300, 700, 1200, 2200)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyntheticCurve:
    """A curve and the truth about it."""

    scenario: str
    noise: str
    trend: str
    steps: Floats
    values: Floats
    levels: tuple[int, ...]
    """Steps of the changes of level: where half is done."""
    slopes: tuple[int, ...]
    """Steps of the changes of slope."""


def a_curve(scenario: str, noise: str, *, number: int) -> SyntheticCurve:
    """Curve `number` of a scenario (a key of SCENARIOS) with a kind of noise (a key of NOISES)."""
    rng = np.random.default_rng([zlib.crc32(f"{scenario}/{noise}".encode()), number])
    n = LENGTHS[number % len(LENGTHS)]
    steps = np.arange(n, dtype=float)
    trend = tuple(TRENDS)[number // len(LENGTHS) % len(TRENDS)]
    size = rng.uniform(3, 20) * rng.choice([-1, 1])
    shape, levels, slopes = SCENARIOS[scenario](steps, rng)
    values = size * TRENDS[trend](steps / n, rng) + shape + NOISES[noise](n, rng)
    return SyntheticCurve(
        scenario=scenario, noise=noise, trend=trend, steps=steps, values=values, levels=levels, slopes=slopes
    )


def autoregression(n: int, phi: float, *, innovations: Floats | None = None, rng: Rng) -> Floats:
    """n values of a stationary AR(1) of variance 1."""
    warm = 200
    e = rng.standard_normal(n + warm) if innovations is None else innovations
    x = np.zeros(n + warm)
    for t in range(1, n + warm):
        x[t] = phi * x[t - 1] + np.sqrt(1 - phi**2) * e[t]
    return x[warm:]


def _heavy(n: int, rng: Rng) -> Floats:
    return autoregression(n, 0.3, innovations=rng.standard_t(4, size=n + 200) / np.sqrt(2), rng=rng)


def _drift_and_white(n: int, rng: Rng) -> Floats:
    return np.sqrt(0.5) * (autoregression(n, 0.9, rng=rng) + rng.standard_normal(n))


def _growing(n: int, rng: Rng) -> Floats:
    spread = np.linspace(0.5, 1.5, n)
    return autoregression(n, 0.3, rng=rng) * spread / np.sqrt(np.mean(spread**2))


NOISES: dict[str, Callable[[int, Rng], Floats]] = {
    "white": lambda n, rng: rng.standard_normal(n),
    "AR(1) 0.3": lambda n, rng: autoregression(n, 0.3, rng=rng),
    "AR(1) 0.6": lambda n, rng: autoregression(n, 0.6, rng=rng),
    "AR(1) 0.9": lambda n, rng: autoregression(n, 0.9, rng=rng),
    "AR(1) 0.9 + white": _drift_and_white,
    "AR(1) 0.3, t(4)": _heavy,
    "AR(1) 0.3, growing": _growing,
}

TRENDS: dict[str, Callable[[Floats, Rng], Floats]] = {
    "flat": lambda x, _: np.zeros_like(x),
    "line": lambda x, _: x,
    "saturating": lambda x, rng: 1 - np.exp(-x / rng.uniform(0.05, 0.5)),
    "sigmoid": lambda x, rng: 1 / (1 + np.exp(-(x - rng.uniform(0.25, 0.75)) / rng.uniform(0.04, 0.12))),
    "logarithm": lambda x, rng: np.log1p(rng.uniform(5, 50) * x) / 3,
    "hump": lambda x, rng: np.exp(-0.5 * ((x - rng.uniform(0.3, 0.7)) / rng.uniform(0.12, 0.25)) ** 2),
}

Shape = tuple[Floats, tuple[int, ...], tuple[int, ...]]


def _no_break(steps: Floats, _: Rng) -> Shape:
    return np.zeros_like(steps), (), ()


def _level(steps: Floats, rng: Rng) -> Shape:
    n = len(steps)
    at = int(rng.integers(round(0.15 * n), round(0.85 * n)))
    return rng.choice([-2.0, 2.0]) * (steps >= at), (at,), ()


def _slow_level(steps: Floats, rng: Rng) -> Shape:
    n = len(steps)
    width = int(rng.integers(5, 21))
    at = int(rng.integers(round(0.15 * n), round(0.85 * n)))
    ramp = np.clip((steps - at + width / 2) / width, 0, 1)
    return rng.choice([-3.0, 3.0]) * ramp, (at,), ()


def _slope(steps: Floats, rng: Rng) -> Shape:
    n = len(steps)
    at = int(rng.integers(round(0.25 * n), round(0.75 * n)))
    return rng.choice([-1, 1]) * rng.uniform(60, 120) / n * np.maximum(steps - at, 0), (), (at,)


def _several(steps: Floats, rng: Rng) -> Shape:
    n, count = len(steps), int(rng.integers(2, 4))
    places = ((np.arange(count) + rng.uniform(0.35, 0.65, size=count)) * n / count).astype(int)
    shape = sum(rng.choice([-1, 1]) * rng.uniform(2.5, 5) * (steps >= at) for at in places)
    return np.asarray(shape), tuple(int(at) for at in places), ()


def _transients(steps: Floats, rng: Rng) -> Shape:
    """Two rises over 3 to 10 % of the run, each lost again as fast: changes of slope at its start, top and end."""
    n = len(steps)
    shape, places = np.zeros(n), []
    for centre in (rng.uniform(0.2, 0.35), rng.uniform(0.6, 0.8)):
        half = rng.uniform(0.03, 0.1) * n
        shape += rng.uniform(5, 10) * np.maximum(1 - np.abs(steps - centre * n) / half, 0)
        places += [int(centre * n - half), int(centre * n), int(centre * n + half)]
    return shape, (), tuple(places)


SCENARIOS: dict[str, Callable[[Floats, Rng], Shape]] = {
    "no break": _no_break,
    "level, 2 sd": _level,
    "level over 5-20 steps, 3 sd": _slow_level,
    "slope": _slope,
    "several levels": _several,
    "transient rises": _transients,
}
