"""Does a value say how likely the answer is right? Reliability, Brier score, ECE, and AUROC. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.values.resampling import Estimate, Questions

Array = np.ndarray[Any, Any]
NUM_BINS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ReliabilityBin:
    """Responses whose value is in one tenth of [0, 1]."""

    num: int
    mean_value: float
    share_right: Estimate


def brier(values: Array, is_right: Array, *, weights: Array | None = None) -> float:
    """Mean of (v - y)^2, v cut to [0, 1]: Brier 1950; 0 is best, y (1 - y) of the mean y is a constant guess's."""
    return float(np.average((np.clip(values, 0, 1) - is_right) ** 2, weights=weights))


def expected_calibration_error(values: Array, is_right: Array, *, weights: Array | None = None) -> float:
    """Sum over ten equal bins of share * |mean value - share right|: Guo et al. 2017, arXiv 1706.04599, equation 3.

    Above 0 for finite samples even of a calibrated critic.
    """
    weights = np.ones(len(values)) if weights is None else weights
    bins = bin_of(values)
    gaps = np.bincount(bins, weights * (np.clip(values, 0, 1) - is_right), minlength=NUM_BINS)
    return float(np.abs(gaps).sum() / weights.sum())


def bin_of(values: Array) -> Array:
    """The tenth of [0, 1] of each value; values outside are in the first and the last."""
    found: Array = np.minimum((np.clip(values, 0, 1) * NUM_BINS).astype(int), NUM_BINS - 1)
    return found


def auroc(values: Array, is_right: Array, *, weights: Array | None = None) -> float | None:
    """Probability that a right response has a higher value than a wrong one, ties a half; None without both.

    The Mann-Whitney statistic over the number of pairs (Hanley and McNeil 1982).
    """
    weights = np.ones(len(values)) if weights is None else weights
    _, ranks = np.unique(values, return_inverse=True)
    right = np.bincount(ranks, weights * is_right, minlength=1)
    wrong = np.bincount(ranks, weights * ~is_right, minlength=1)
    pairs = right.sum() * wrong.sum()
    if pairs <= 0:
        return None
    below = np.cumsum(wrong) - wrong
    return float((right * (below + wrong / 2)).sum() / pairs)


def auroc_by_question(values: Array, is_right: Array, *, owners: Sequence[str]) -> dict[str, float]:
    """The same of the responses to each question that has right and wrong ones: what a critic knows beyond how hard a
    question is.
    """
    names = np.array(owners, dtype=object).astype(str)
    order = np.argsort(names, kind="stable")
    starts = np.flatnonzero(np.r_[True, names[order][1:] != names[order][:-1]])
    found = {}
    for members in np.split(order, starts[1:]):
        area = auroc(values[members], is_right[members])
        if area is not None:
            found[str(names[members[0]])] = area
    return found


def reliability(values: Array, is_right: Array, *, questions: Questions) -> list[ReliabilityBin]:
    """Each tenth that has responses; the interval of its share is over questions."""
    bins = bin_of(values)
    found = []
    for number in np.unique(bins):
        chosen = bins == number
        right = is_right[chosen].astype(float)
        share = questions.estimate(lambda w, right=right: _mean(right, w), chosen=chosen)  # type: ignore[misc]
        assert share is not None
        found.append(
            ReliabilityBin(
                num=int(chosen.sum()), mean_value=float(np.clip(values[chosen], 0, 1).mean()), share_right=share
            )
        )
    return found


def _mean(values: Array, weights: Array) -> float | None:
    return float(np.average(values, weights=weights)) if weights.sum() > 0 else None
