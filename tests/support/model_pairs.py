"""Pairs of models made up of kinds of questions with known success rates, and where their pass@k truly cross."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.boundary.crossing import Crossing, band_of, crossing_of, grid_of
from orz_bench.results.statistics import pass_at_every_k

Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True, slots=True)
class Kind:
    """Questions alike: their share, and the success rate of the base and of the trained model."""

    share: float
    base: float
    run: float


CROSSING: Mapping[str, tuple[Kind, ...]] = {
    "early": (Kind(0.4, 0.3, 0.8), Kind(0.3, 0.05, 0.005), Kind(0.1, 0.9, 1.0), Kind(0.2, 0.0, 0.0)),
    "late": (Kind(0.6, 0.2, 0.5), Kind(0.2, 0.02, 0.0), Kind(0.2, 0.0, 0.0)),
    "widening": (Kind(0.5, 0.6, 0.5), Kind(0.3, 0.0, 0.04), Kind(0.2, 0.0, 0.0)),
    "narrow": (Kind(0.3, 0.4, 0.6), Kind(0.3, 0.1, 0.05), Kind(0.4, 0.0, 0.0)),
}
"""One crossing each, below 64 samples."""
NOT_CROSSING: Mapping[str, tuple[Kind, ...]] = {
    "equal": (Kind(0.4, 0.3, 0.3), Kind(0.3, 0.05, 0.05), Kind(0.3, 0.0, 0.0)),
    "equal and rare": (Kind(0.3, 0.01, 0.01), Kind(0.7, 0.0, 0.0)),
    "ahead": (Kind(0.4, 0.3, 0.6), Kind(0.3, 0.02, 0.05), Kind(0.3, 0.0, 0.02)),
    "same support": (Kind(0.4, 0.3, 0.6), Kind(0.3, 0.1, 0.2), Kind(0.3, 0.0, 0.0)),
    "behind": (Kind(0.5, 0.5, 0.3), Kind(0.5, 0.05, 0.01)),
}


def true_crossing(kinds: tuple[Kind, ...], *, n: int) -> float | None:
    """Where E[(1 - base)^k - (1 - run)^k] changes its sign between 1 and n."""
    ks = np.arange(1, n + 1, dtype=np.float64)
    gap = np.sum([kind.share * ((1 - kind.base) ** ks - (1 - kind.run) ** ks) for kind in kinds], axis=0)
    changes = np.flatnonzero(gap[:-1] * gap[1:] < 0)
    if not len(changes):
        return None
    at = int(changes[0])
    return float(ks[at] + gap[at] / (gap[at] - gap[at + 1]))


def drawn_crossing(kinds: tuple[Kind, ...], *, num_questions: int, n: int, rng: np.random.Generator) -> Crossing:
    """What is found with that many questions of these kinds and n samples of each by either model."""
    of = rng.choice(len(kinds), p=[kind.share for kind in kinds], size=num_questions)
    base, run = (np.array([getattr(kind, side) for kind in kinds])[of] for side in ("base", "run"))
    ks = grid_of(n)
    every = np.array([pass_at_every_k(n, right) for right in range(n + 1)])[:, np.array(ks) - 1]
    differences = every[rng.binomial(n, run)] - every[rng.binomial(n, base)]
    return crossing_of(band_of(differences, ks, n=n), num_questions=num_questions)
