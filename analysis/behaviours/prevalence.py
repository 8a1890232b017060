"""How frequent a behaviour is, corrected for the errors of its detector: Rogan and Gladen 1978. Pure functions."""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.behaviours.agreement import Rate

_Z = 1.959963984540054
LEAST_TAGGED = 5
"""Responses with the tag, and without, from which a detector's errors are known well enough."""
LEAST_SKILL = 0.1
"""Of sensitivity + specificity - 1; below it, a detector says hardly anything about a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A corrected prevalence with its 95 % interval."""

    value: float
    low: float
    high: float


def corrected(share: float, num: float, *, recall: Rate, specificity: Rate) -> Corrected:
    """(share + specificity - 1) / (sensitivity + specificity - 1), cut to [0, 1]: Rogan and Gladen 1978, equation 1.

    The interval is that of Lang and Reiczigel 2014, which covers also the doubt about sensitivity and specificity: all
    three shares are drawn towards the middle, as by Agresti and Coull. `num`: independent responses.
    """
    assert recall.value is not None
    assert specificity.value is not None
    value = (share + specificity.value - 1) / (recall.value + specificity.value - 1)
    square = _Z**2
    p = (num * share + square / 2) / (num + square)
    se = (recall.num * recall.value + 1) / (recall.num + 2)
    sp = (specificity.num * specificity.value + 1) / (specificity.num + 2)
    skill = se + sp - 1
    middle = (p + sp - 1) / skill
    of_se, of_sp = se * (1 - se) / (recall.num + 2), sp * (1 - sp) / (specificity.num + 2)
    shift = 2 * square * (middle * of_se - (1 - middle) * of_sp)
    error = math.sqrt(p * (1 - p) / (num + square) + middle**2 * of_se + (1 - middle) ** 2 * of_sp) / skill
    low, high = (_share(middle + shift + side * _Z * error) for side in (-1, 1))
    inside = _share(value)
    return Corrected(value=inside, low=min(low, inside), high=max(high, inside))


def why_not(recall: Rate, specificity: Rate) -> str | None:
    """Why a prevalence cannot be corrected with these; None if it can."""
    if recall.num < LEAST_TAGGED or specificity.num < LEAST_TAGGED:
        return (
            f"{recall.num} judged responses have the tag and {specificity.num} do not, wanted at least {LEAST_TAGGED} "
            f"of each"
        )
    assert recall.value is not None
    assert specificity.value is not None
    if recall.value + specificity.value - 1 < LEAST_SKILL:
        return "the detector agrees with the tags hardly more often than chance"
    return None


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
