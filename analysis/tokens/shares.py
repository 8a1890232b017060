"""Sums by rank: what the lowest tenth of tokens, the next, ... hold of a total. Pure functions of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
PARTS = 10


def sums_by_rank(values: Array, amounts: Array, *, parts: int = PARTS) -> Array:
    """The sum of `amounts` in each of `parts` equally large groups by `values`, in ascending order.

    Items of one value that two groups divide are divided evenly: each group gets a part of their sum.
    """
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    sums = np.bincount(places, np.asarray(amounts, dtype=np.float64), minlength=len(counts))
    ends, totals = np.cumsum(np.r_[0, counts]), np.cumsum(np.r_[0.0, sums])
    return np.diff(np.interp(np.linspace(0, ends[-1], parts + 1), ends, totals))


def shares(sums: Array) -> Array | None:
    """Each part's share of the total; None for a total of 0."""
    total = sums.sum()
    return sums / total if total > 0 else None


def mean_by_rank(values: Array, *, parts: int = PARTS) -> Array:
    """The mean value of each group."""
    found: Array = sums_by_rank(values, np.asarray(values, dtype=np.float64), parts=parts) * parts / len(values)
    return found
