"""Two evaluations compared question by question: the same questions make the difference far less noisy than the scores.

Pure functions on shares of correct samples; the randomness is seeded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from orz_bench.errors import ConfigError

_RESAMPLES = 10_000
_PERMUTATIONS = 20_000
_CHUNK_CELLS = 2_000_000
_EXACT_UP_TO = 14
"""Questions with a difference up to which all sign patterns are enumerated."""
_Z_POWER = 1.959964 + 0.841621
"""Normal quantiles for 5 % (two-sided) and 80 % power."""


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
    """95 % bootstrap interval over questions (percentiles)."""
    p_value: float
    """Two-sided sign-flip permutation test over questions."""
    minimum_detectable_effect: float | None
    """Difference that such a comparison would find in 80 % of cases, at 5 %; None for one question."""
    gained: tuple[str, ...]
    """Questions that B solves in most samples and A does not."""
    lost: tuple[str, ...]


def compare(a: Mapping[str, Sequence[bool]], b: Mapping[str, Sequence[bool]], *, seed: int = 0) -> Comparison:
    """Compare outcomes by problem id. Raises ConfigError where no question is shared."""
    shared = sorted(set(a) & set(b))
    if not shared:
        raise ConfigError("the two runs share no question; compare evaluations of one benchmark on the same data.")
    shares_a, shares_b = (np.array([np.mean(side[key]) for key in shared]) for side in (a, b))
    differences = shares_b - shares_a
    rng = np.random.default_rng(seed)
    low, high = bootstrap_interval(differences, rng)
    spread = float(np.std(differences, ddof=1)) if len(shared) > 1 else None
    return Comparison(
        num_questions=len(shared),
        num_only_a=len(set(a) - set(b)),
        num_only_b=len(set(b) - set(a)),
        average_a=float(shares_a.mean()),
        average_b=float(shares_b.mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        p_value=sign_flip_p_value(differences, rng),
        minimum_detectable_effect=None if spread is None else _Z_POWER * spread / math.sqrt(len(shared)),
        gained=tuple(key for key, x, y in zip(shared, shares_a, shares_b, strict=True) if x <= 0.5 < y),
        lost=tuple(key for key, x, y in zip(shared, shares_a, shares_b, strict=True) if y <= 0.5 < x),
    )


def bootstrap_interval(differences: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the mean over resampled questions."""
    size = len(differences)
    means = [differences[rng.integers(0, size, size=(rows, size))].mean(axis=1) for rows in _chunks(_RESAMPLES, size)]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


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
