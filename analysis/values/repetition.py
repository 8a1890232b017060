"""Values and advantages at repeated n-grams of tokens, against other tokens at the same place of like responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.values.assessed import AssessedResponse

Array = np.ndarray[Any, Any]
NGRAM = 10
"""Tokens."""
NUM_BINS = 10
"""Of the relative position, in which tokens are compared."""


def is_repeated(token_ids: Array, n: int = NGRAM) -> Array:
    """For each token, whether the n tokens that end with it stand earlier in the response too (overlaps count)."""
    found = np.zeros(len(token_ids), dtype=bool)
    if len(token_ids) < n:
        return found
    windows = np.lib.stride_tricks.sliding_window_view(token_ids, n)
    _, first, group = np.unique(windows, axis=0, return_index=True, return_inverse=True)
    found[n - 1 :] = np.arange(len(windows)) != first[group.ravel()]
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionDifferences:
    """Of one question's responses: repeated minus other tokens; None without both kinds in one cell."""

    num_repeated: int
    num_tokens: int
    value: float | None
    """Between responses with the same outcome."""
    advantage: float | None
    """Reward minus value (gamma = lambda = 1), between all responses."""


def repetition_differences(group: Sequence[AssessedResponse]) -> RepetitionDifferences:
    """Cells are tenths of the response (for values: with the outcome); their differences are weighted by the repeated
    tokens that they have.
    """
    repeated = [is_repeated(response.token_ids) for response in group]
    flags = np.concatenate(repeated)
    tenths = np.concatenate([_tenths(response.num_tokens) for response in group])
    right = np.concatenate([np.full(response.num_tokens, response.is_right) for response in group])
    values = np.concatenate([response.values for response in group])
    return RepetitionDifferences(
        num_repeated=int(flags.sum()),
        num_tokens=len(flags),
        value=_difference(values, flags, cells=tenths * 2 + right),
        advantage=_difference(right - values, flags, cells=tenths),
    )


def _tenths(length: int) -> Array:
    return np.arange(length) * NUM_BINS // length


def _difference(numbers: Array, flags: Array, *, cells: Array) -> float | None:
    total = 2 * NUM_BINS
    sums = [np.bincount(cells[kind], numbers[kind], minlength=total) for kind in (flags, ~flags)]
    counts = [np.bincount(cells[kind], minlength=total) for kind in (flags, ~flags)]
    both = (counts[0] > 0) & (counts[1] > 0)
    if not both.any():
        return None
    differences = sums[0][both] / counts[0][both] - sums[1][both] / counts[1][both]
    return float(np.average(differences, weights=counts[0][both]))
