"""How often a curve is called changed, where it does not change and where it does, at correlated noise.

Curves are AR(1) noise of a correlation and a length, alone, and with a straight rise of three standard errors of the
difference between the means of its first and last tenth of steps (ten at most), which is what reports tell. The peer is
the rule that takes steps for independent: that difference over its error from second differences, larger than three.
Further curves have the shapes that rewards have: a jump, an exponential approach, a ramp.

    python benchmarks/curve_changes.py [--curves 1000]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from _record import keep

from analysis.curves.trends import changes

LENGTHS = (20, 40, 100, 200, 700)
CORRELATIONS = (0.0, 0.3, 0.5, 0.8, 0.9)
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "jump": lambda t: (t >= 0.5).astype(float),
    "approach": lambda t: 1 - np.exp(-t / 0.1),
    "ramp": lambda t: np.clip((t - 0.3) / 0.2, 0, 1),
}


def noise(rng: np.random.Generator, num: int, rho: float) -> np.ndarray:
    values = rng.standard_normal(num)
    for at in range(1, num):
        values[at] = rho * values[at - 1] + np.sqrt(1 - rho * rho) * values[at]
    return values


def ends_of(num: int) -> int:
    return min(10, max(1, round(0.1 * num)))


def error_of_ends(num: int, rho: float) -> float:
    covariance = rho ** np.abs(np.subtract.outer(np.arange(num), np.arange(num)))
    weights = np.zeros(num)
    weights[: ends_of(num)], weights[-ends_of(num) :] = -1 / ends_of(num), 1 / ends_of(num)
    return float(np.sqrt(weights @ covariance @ weights))


def as_if_independent(values: np.ndarray, ends: int) -> int:
    difference = values[-ends:].mean() - values[:ends].mean()
    error = np.sqrt(np.mean(np.diff(values, 2) ** 2) / 6 * 2 / ends)
    return int(np.sign(difference)) if abs(difference) > 3 * error else 0


def rates(rng: np.random.Generator, num: int, *, rho: float, curves: int) -> dict[str, Any]:
    ends, rise = ends_of(num), 3 * error_of_ends(num, rho) * np.linspace(0, 1, num)
    counts = {"false, independent": 0, "false": 0, "rise found": 0}
    for _ in range(curves):
        values = noise(rng, num, rho)
        counts["false, independent"] += as_if_independent(values, ends) != 0
        counts["false"] += changes(values, ends=ends) != 0
        counts["rise found"] += changes(values + rise, ends=ends) == 1
    return {"steps": num, "correlation": rho} | {name: round(count / curves, 3) for name, count in counts.items()}


def shape_rates(rng: np.random.Generator, name: str, *, curves: int) -> list[dict[str, Any]]:
    rows = []
    for scale in (0.02, 0.1, 0.2):
        for rho in (0.0, 0.5, 0.8):
            means = SHAPES[name](np.linspace(0, 1, 100))
            found = [changes(means + scale * noise(rng, 100, rho), ends=10) == 1 for _ in range(curves)]
            rows.append({"shape": name, "noise": scale, "correlation": rho, "found": round(float(np.mean(found)), 3)})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=1000)
    curves = parser.parse_args().curves
    rng = np.random.default_rng(0)
    table = [rates(rng, num, rho=rho, curves=curves) for num in LENGTHS for rho in CORRELATIONS]
    shapes = [row for name in SHAPES for row in shape_rates(rng, name, curves=max(10, curves // 10))]
    keep("curve_changes", {"curves": curves, "noise_and_rises": table, "shapes_of_100_steps": shapes})


if __name__ == "__main__":
    main()
