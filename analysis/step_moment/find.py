"""find_breaks: from a curve to its step moments, one screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.step_moment.breaks import Break
from analysis.step_moment.curve import Curve, read_curve
from analysis.step_moment.measure import measure
from analysis.step_moment.noise import Noise, estimate_noise, white_noise
from analysis.step_moment.segmented import Model, Regression
from analysis.step_moment.selection import best_model, refine
from analysis.step_moment.shapes import Change
from analysis.step_moment.significance import NullWorlds
from analysis.step_moment.trend import Trends, trend_families

Floats = NDArray[np.float64]

SHORTEST_CURVE = 60
"""Observations below which nothing is claimed."""
_MOST_ROUNDS = 4


def find_breaks(
    steps: ArrayLike, values: ArrayLike, *, metric: str = "value", level: float = 0.05, seed: int = 0
) -> list[Break]:
    """The step moments of one curve, by step; an empty list where there is none.

    Args:
        steps: strictly increasing, (n,), integers or floats; may be irregular and have gaps.
        values: (n,), in the metric's units; what is not finite counts as not observed.
        metric: the name that the breaks carry.
        level: largest p-value of a reported break.
        seed: of the bootstrap; the same seed gives the same breaks.

    Raises:
        DataError: where steps and values do not match, or steps do not increase.

    Method and sources: docs/step-moments.md.
    """
    curve = read_curve(steps, values, metric=metric)
    if len(curve.values) < SHORTEST_CURVE or np.ptp(curve.values) == 0:
        return []
    families = trend_families(curve.steps)
    regression, model = _fit(curve, families, seed=seed)
    if not model.changes:
        return []
    p_values = _prune(regression, model, level=level, seed=seed)
    return measure(curve, regression, p_values)


def _fit(curve: Curve, families: tuple[Trends, ...], *, seed: int) -> tuple[Regression, Model]:
    """The noise of the best model and the best model under that noise, found in turn, from no changes onwards."""
    regression = _regression(curve, white_noise(curve.ages), families)
    for _ in range(2):
        regression = _regression(curve, _noise(curve, regression, regression.fit(()), seed=seed), families)
    model = best_model(regression, curve.values)
    for _ in range(_MOST_ROUNDS):
        changes = model.changes
        regression = _regression(curve, _noise(curve, regression, model, seed=seed), families)
        model = best_model(regression, curve.values)
        if model.changes == changes:
            break
    return regression, model


def _regression(curve: Curve, noise: Noise, families: tuple[Trends, ...]) -> Regression:
    return Regression(curve.time, curve.values, noise=noise, families=families)


def _noise(curve: Curve, regression: Regression, model: Model, *, seed: int) -> Noise:
    basis = _basis(regression, model)
    residuals = regression.noise.colour(_left(regression, basis))
    return estimate_noise(residuals, basis=basis, noise=regression.noise, ages=curve.ages, seed=seed)


def _basis(regression: Regression, model: Model) -> Floats:
    scan = regression.scan(model.changes, family=model.family)
    return scan.basis[:, : scan.ends[model.size]]


def _left(regression: Regression, basis: Floats) -> Floats:
    return regression.target - basis @ (basis.T @ regression.target)


def _prune(regression: Regression, model: Model, *, level: float, seed: int) -> dict[Change, float]:
    """Takes out the least significant change until all that stay are significant."""
    basis = _basis(regression, model)
    inflation = np.sqrt(len(basis) / (len(basis) - basis.shape[1]))
    worlds = NullWorlds(regression, _left(regression, basis) * inflation, seed=seed)
    while model.changes:
        p_values = {
            change: worlds.p_value(tuple(other for other in model.changes if other != change))
            for change in model.changes
        }
        weakest = max(p_values, key=lambda change: p_values[change])
        if p_values[weakest] <= level:
            return p_values
        kept = tuple(change for change in model.changes if change != weakest)
        model = refine(regression, regression.fit(kept))
    return {}
