"""Intervals over questions for figures that are sums over responses, and paired differences a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orz_bench.results.comparison import bootstrap_interval, sign_flip_p_value

Array = np.ndarray[Any, Any]
RESAMPLES = 400
LEAST_QUESTIONS = 5
"""Fewer say nothing about the scatter between questions: then there is no interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval over questions; low and high are None with fewer than 5 questions."""

    value: float
    low: float | None = None
    high: float | None = None


class Questions:
    """Which response is of which question, and how often each counts in a resample."""

    def __init__(self, owners: Sequence[str], *, seed: int = 0) -> None:
        """`owners`: the question of each response."""
        names, self._of_response = np.unique(np.array(owners, dtype=object).astype(str), return_inverse=True)
        self.count = len(names)
        rng = np.random.default_rng(seed)
        draws = rng.integers(0, self.count, size=(RESAMPLES, self.count))
        self._times = np.array([np.bincount(row, minlength=self.count) for row in draws])

    def estimate(self, figure: Callable[[Array], float | None], *, chosen: Array | None = None) -> Estimate | None:
        """A figure of weighted responses, with percentiles of its value over resampled questions; None if undefined.

        `figure` takes the weight of every (chosen) response.
        """
        owners = self._of_response if chosen is None else self._of_response[chosen]
        value = figure(np.ones(len(owners)))
        if value is None:
            return None
        if len(np.unique(owners)) < LEAST_QUESTIONS:
            return Estimate(value)
        found = [figure(times[owners].astype(float)) for times in self._times]
        known = [each for each in found if each is not None]
        if len(known) < RESAMPLES / 2:
            return Estimate(value)
        low, high = np.percentile(known, [2.5, 97.5])
        return Estimate(value, min(float(low), value), max(float(high), value))


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedEffect:
    """A difference within questions, with equal weight for every question."""

    num_questions: int
    difference: Estimate
    p_value: float
    """Two-sided sign-flip permutation test over questions: the two sides of a pair exchanged at random."""


def paired_effect(differences: Mapping[str, float], *, seed: int = 0) -> PairedEffect | None:
    """From one difference a question; None without any."""
    if not differences:
        return None
    values = np.array([differences[key] for key in sorted(differences)])
    rng = np.random.default_rng(seed)
    estimate = Estimate(float(values.mean()))
    if len(values) >= LEAST_QUESTIONS:
        estimate = Estimate(estimate.value, *bootstrap_interval(values, rng))
    return PairedEffect(num_questions=len(values), difference=estimate, p_value=sign_flip_p_value(values, rng))
