"""Two evaluations compared question by question: the same questions make the difference far less noisy than the scores.

Pure functions on shares of correct samples; the randomness is seeded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal

import numpy as np

from orz_bench.errors import ConfigError

_RESAMPLES = 10_000
_PERMUTATIONS = 20_000
_CHUNK_CELLS = 2_000_000
_EXACT_UP_TO = 14
"""Questions with a difference up to which all sign patterns are enumerated."""
_LEAST_QUESTIONS = 6
"""Below, even differences of one sign everywhere have p > 0.05: 2 / 2^5 = 0.0625."""
_Z_POWER = 1.959964 + 0.841621
"""Normal quantiles for 5 % (two-sided) and 80 % power."""

Outcomes = Mapping[str, Sequence[bool]]
"""By problem id: whether each sample is correct, in the order of the samples."""
Outcome = Literal["better", "no worse", "worse", "inconclusive"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """B against A on the questions that both have. Differences are B - A, in fractions."""

    num_questions: int
    num_only_a: int
    num_only_b: int
    average_a: float
    average_b: float
    difference: float
    low: float
    high: float
    """95 % bootstrap interval over questions."""
    p_value: float
    """Two-sided sign-flip permutation test over questions."""
    minimum_detectable_effect: float | None
    """Difference that such a comparison would find in 80 % of cases, at 5 %; None if there is none up to 1."""
    gained: tuple[str, ...]
    """Questions that B solves in most samples and A does not."""
    lost: tuple[str, ...]

    def outcome(self, margin: float) -> Outcome:
        """The conclusion about B from the interval; a loss of up to `margin` (a fraction) would not matter.

        better: all of it above 0. no worse: all of it above -margin. worse: all of it below 0, not all above -margin.
        """
        if self.low > 0:
            return "better"
        if self.low > -margin:
            return "no worse"
        return "worse" if self.high < 0 else "inconclusive"


def compare(a: Outcomes, b: Outcomes, *, seed: int = 0) -> Comparison:
    """Compare outcomes by problem id. Raises ConfigError if no question is shared."""
    samples = min((len(side[key]) for side in (a, b) for key in set(a) & set(b)), default=1)
    shares = [{key: float(np.mean(outcomes)) for key, outcomes in side.items()} for side in (a, b)]
    return compare_values(*shares, samples_each=samples, seed=seed)


def compare_values(
    a: Mapping[str, float], b: Mapping[str, float], *, samples_each: float = 1, seed: int = 0
) -> Comparison:
    """Compare one figure in [0, 1] a problem id: a share, pass@k, a majority. ConfigError if none is shared.

    `samples_each`: independent tries that a figure amounts to; n for a share of n samples.
    """
    shared = sorted(set(a) & set(b))
    if not shared:
        raise ConfigError("the two runs share no question; compare evaluations of one benchmark on the same data.")
    values_a, values_b = (np.array([side[key] for key in shared]) for side in (a, b))
    differences = values_b - values_a
    rng = np.random.default_rng(seed)
    unseen = unseen_difference(differences, samples_each=samples_each)
    low, high = bootstrap_interval(differences, rng, unseen=unseen)
    return Comparison(
        num_questions=len(shared),
        num_only_a=len(set(a) - set(b)),
        num_only_b=len(set(b) - set(a)),
        average_a=float(values_a.mean()),
        average_b=float(values_b.mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        p_value=sign_flip_p_value(differences, rng),
        minimum_detectable_effect=_detectable(differences, unseen=unseen),
        gained=tuple(key for key, x, y in zip(shared, values_a, values_b, strict=True) if x <= 0.5 < y),
        lost=tuple(key for key, x, y in zip(shared, values_a, values_b, strict=True) if y <= 0.5 < x),
    )


def unseen_difference(differences: np.ndarray, *, samples_each: float) -> float:
    """How far a question could differ that was not among these: the usual size of a difference, weighted by itself.

    One sample that differs is added as if all of its question's had: where nothing differs, the answer is 1.
    """
    moved = samples_each * float(np.abs(differences).sum())
    return (samples_each * float((differences**2).sum()) + 1) / (moved + 1)


def bootstrap_interval(
    differences: np.ndarray, rng: np.random.Generator, *, unseen: float = 0.0, tail: float = 0.025
) -> tuple[float, float]:
    """The quantiles `tail` and 1 - `tail` of the mean over resampled questions.

    Two more questions are added to the sample, which differ by `unseen` in either direction: the adjustment of
    Bonett and Price (2012) for pairs that agree, without which equal runs would have an interval of width 0.
    """
    among = np.append(differences, [unseen, -unseen])
    size = len(among)
    sums = [among[rng.integers(0, size, size=(rows, size))].sum(axis=1) for rows in _chunks(_RESAMPLES, size)]
    low, high = np.quantile(np.concatenate(sums) / len(differences), [tail, 1 - tail])
    mean = float(differences.mean())
    return max(-1.0, min(float(low), mean)), min(1.0, max(float(high), mean))


def _detectable(differences: np.ndarray, *, unseen: float) -> float | None:
    size = len(differences)
    if size < _LEAST_QUESTIONS:
        return None
    scatter = float(((differences - differences.mean()) ** 2).sum()) + 2 * unseen**2
    effect = _Z_POWER * math.sqrt(scatter / (size - 1) / size)
    return effect if effect <= 1 else None


def sign_flip_p_value(differences: np.ndarray, rng: np.random.Generator) -> float:
    """Share of sign patterns whose mean is at least as far from zero: exact for few questions, else 20,000 draws."""
    moved = differences[differences != 0]
    if len(moved) == 0:
        return 1.0
    observed = abs(moved.sum()) - 1e-12
    if len(moved) <= _EXACT_UP_TO:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(moved))))
        return float(np.mean(np.abs(signs @ moved) >= observed))
    size = len(moved)
    sums = [(2.0 * rng.integers(0, 2, size=(rows, size)) - 1.0) @ moved for rows in _chunks(_PERMUTATIONS, size)]
    return float((np.sum(np.abs(np.concatenate(sums)) >= observed) + 1) / (_PERMUTATIONS + 1))


def _chunks(num_rows: int, row_size: int) -> list[int]:
    """Numbers of rows that together are num_rows, each chunk of a bounded size in memory."""
    rows = max(1, _CHUNK_CELLS // row_size)
    return [min(rows, num_rows - start) for start in range(0, num_rows, rows)]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted
