"""Where two curves of pass@k cross, with an interval: pure functions on differences a question (docs/boundary.md).

Letters: Q questions, K numbers of samples. A difference is that of the trained model minus that of the base.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from orz_bench.results.comparison import unseen_difference

Array = np.ndarray[Any, np.dtype[np.float64]]
RESAMPLES = 2_000
LEAST_QUESTIONS = 6
"""Fewer cannot give p < 0.05 in a paired test: no crossing is looked for."""
_CELLS = 2_000_000
_EVERY_K = 128
_MOST_KS = 400
Side = Literal["base", "run"]
Outcome = Literal["crossing", "none", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The mean difference at each k, with 95 % bands over questions."""

    ks: tuple[int, ...]
    difference: Array
    low: Array
    """With `high`: holds the true difference at one k in 95 % of cases."""
    high: Array
    all_low: Array
    """With `all_high`: holds the true differences at all k together in 95 % of cases."""
    all_high: Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """Whether pass@k of the two models crosses between 1 and n samples."""

    outcome: Outcome
    """crossing: one is surely ahead at some k, the other at a larger one. none: one is surely ahead at every k."""
    ahead_first: Side | None
    """Which is ahead below the crossing, or at every k; None where undecided."""
    at: float | None
    """Where the difference changes its sign, between two k; None if it does not."""
    low: int | None
    """With `high`: the 95 % interval of a crossing; where undecided, of any there may be. None: below every k."""
    high: int | None
    """None: above every k, if anywhere."""

    def holds(self, k: float) -> bool:
        """Whether a crossing at k agrees with this one."""
        return self.outcome != "none" and (self.low or 0) <= k <= (self.high if self.high is not None else np.inf)


def grid_of(n: int) -> tuple[int, ...]:
    """Every k up to 128, above in steps of equal ratio, and n."""
    if n <= _EVERY_K:
        return tuple(range(1, n + 1))
    above = np.geomspace(_EVERY_K, n, _MOST_KS - _EVERY_K).round().astype(int)
    return tuple(sorted({*range(1, _EVERY_K + 1), *above.tolist()}))


def band_of(differences_QK: Array, ks: tuple[int, ...], *, n: int, seed: int = 0) -> Band:  # noqa: N803
    """Bands from resampled questions, with two added at each k that differ in either direction as in `compare`."""
    num = len(differences_QK)
    columns = [unseen_difference(column, samples_each=n / k) for column, k in zip(differences_QK.T, ks, strict=True)]
    among = np.vstack([differences_QK, columns, np.negative(columns)])
    means = _resampled(among, num=num, rng=np.random.default_rng(seed))
    centre = differences_QK.mean(axis=0)
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    error = means.std(axis=0)
    reach = float(np.percentile(np.abs((means - centre) / error).max(axis=1), 95))
    return Band(
        ks=ks,
        difference=centre,
        low=np.minimum(low, centre),
        high=np.maximum(high, centre),
        all_low=centre - reach * error,
        all_high=centre + reach * error,
    )


def _resampled(among: Array, *, num: int, rng: np.random.Generator) -> Array:
    """(RESAMPLES, K): means over resampled rows; the two added rows do not count in the number of questions."""
    size = len(among)
    rows = max(1, min(RESAMPLES, _CELLS // size))
    parts = []
    for start in range(0, RESAMPLES, rows):
        times = rng.multinomial(size, np.full(size, 1 / size), size=min(rows, RESAMPLES - start))
        parts.append(times @ among / num)
    return np.concatenate(parts)


def crossing_of(band: Band, *, num_questions: int) -> Crossing:
    """The first crossing, if there surely is one."""
    changes = _change_of(band)
    if num_questions < LEAST_QUESTIONS:
        return Crossing(outcome="undecided", ahead_first=None, at=changes, low=None, high=None)
    sure = _signs(band.all_low, band.all_high)
    likely = np.where(sure, sure, _signs(band.low, band.high))
    known = np.flatnonzero(sure)
    for i, j in pairwise(known):
        if sure[i] != sure[j]:
            before = i + int(np.flatnonzero(likely[i:j] == sure[i])[-1])
            after = before + 1 + int(np.flatnonzero(likely[before + 1 : j + 1] == sure[j])[0])
            return Crossing(
                outcome="crossing",
                ahead_first=_side(sure[i]),
                at=_change_of(band, start=before, end=after),
                low=band.ks[before],
                high=band.ks[after],
            )
    if len(known) == len(sure):
        return Crossing(outcome="none", ahead_first=_side(sure[0]), at=None, low=None, high=None)
    open_ks = np.flatnonzero(likely == 0)
    first, last = (int(open_ks[0]), int(open_ks[-1])) if len(open_ks) else (0, len(sure) - 1)
    return Crossing(
        outcome="undecided",
        ahead_first=None,
        at=changes,
        low=band.ks[first - 1] if first else None,
        high=band.ks[last + 1] if last + 1 < len(sure) else None,
    )


def _signs(low: Array, high: Array) -> np.ndarray[Any, np.dtype[np.int64]]:
    return (low > 0).astype(np.int64) - (high < 0).astype(np.int64)


def _side(sign: int) -> Side:
    return "run" if sign > 0 else "base"


def _change_of(band: Band, *, start: int = 0, end: int | None = None) -> float | None:
    """Where the estimated difference first changes its sign, on a straight line between two k."""
    chosen = slice(start, None if end is None else end + 1)
    values, ks = band.difference[chosen], np.array(band.ks, dtype=np.float64)[chosen]
    values, ks = values[values != 0], ks[values != 0]
    changes = np.flatnonzero(values[:-1] * values[1:] < 0)
    if not len(changes):
        return None
    at = int(changes[0])
    share = values[at] / (values[at] - values[at + 1])
    return float(ks[at] + share * (ks[at + 1] - ks[at]))
