"""How far an axis spans: shares at least five points or five standard errors, so that noise looks like noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from analysis.curves.study import Study

LEAST_SHARES = 0.05
"""An axis of shares spans at least five points: one rollout of 256 is no collapse."""


def least_span(studies: Sequence[Study], values: Sequence[float], *, unit: str) -> float | None:
    """The least span for these shares of a step's rollouts, or rewards between 0 and 1; None for other units."""
    known = [value for value in values if 0 <= value <= 1]
    if unit != "share" and not (unit == "reward" and known and len(known) == len(values)):
        return None
    sizes = [size for study in studies if (size := _rollouts_each_step(study)) is not None]
    mean = fmean(known) if known else 0.0
    errors = [math.sqrt(mean * (1 - mean) / size) for size in sizes]
    return min(max(LEAST_SHARES, *(5 * error for error in errors), 0.0), 1.0)


def _rollouts_each_step(study: Study) -> int | None:
    rollout = study.run.config.get("rollout")
    found = [rollout.get(name) for name in ("num_problems", "num_samples")] if isinstance(rollout, dict) else []
    known = [number for number in found if isinstance(number, int) and number > 0]
    return math.prod(known) if len(known) == 2 else None


def wide_enough(values: Sequence[float], *, least: float, top: float) -> tuple[float, float] | None:
    """The ends of an axis from 0 to at most `top` that shows the values and spans at least `least`.

    None where the values span more by themselves, or are not between 0 and `top`.
    """
    known = [value for value in values if math.isfinite(value)]
    if not known or max(known) - min(known) >= least or min(known) < 0 or max(known) > top:
        return None
    middle = (min(known) + max(known)) / 2
    low = min(max(middle - least / 2, 0.0), top - least)
    return low, low + least
