"""Joint breaks: breaks of several metrics that coincide more often, and more closely, than by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.step_moment.breaks import Break, JointBreak
from orz_bench.results.comparison import holm

Floats = NDArray[np.float64]
Pair = tuple[str, str]

TOGETHER = 10
"""Observations within which breaks may be one event: about the precision of a break's place."""
NUM_SHUFFLES = 1999


def find_joint_breaks(
    breaks: Sequence[Break], steps: ArrayLike, *, level: float = 0.05, seed: int = 0
) -> list[JointBreak]:
    """The events in which at least two metrics break together, by step; empty if none exceeds chance.

    Args:
        breaks: of all metrics, as returned by `find_breaks` for curves over the same steps.
        steps: (n,), the steps that the curves have in common, increasing.
        level: largest p-value of two metrics whose breaks are called joint.
        seed: seed of the random rotations.

    The co-occurrence of two metrics is the sum, over the breaks of one, of 1 - distance / `TOGETHER` to the nearest
    break of the other. Under the null, the breaks of one metric are rotated around the run by a random amount, so
    that neither their number nor their spacing counts as evidence. p-values are adjusted for the number of pairs
    (Holm 1979).
    """
    breaks = sorted(breaks, key=lambda one: (one.metric, one.step))  # the result does not depend on the input order
    x = np.asarray(steps, dtype=float)
    places: dict[str, Floats] = {}
    for metric in dict.fromkeys(one.metric for one in breaks):
        places[metric] = np.array([one.step for one in breaks if one.metric == metric])
    if len(places) < 2 or len(x) < 2:
        return []
    reach = TOGETHER * float(np.median(np.diff(x)))
    span = float(x[-1] - x[0]) + reach
    rng = np.random.default_rng(seed)
    raw = {
        pair: _p_value(places[pair[0]], places[pair[1]], reach=reach, span=span, rng=rng)
        for pair in combinations(places, 2)
    }
    adjusted = zip(raw, holm(list(raw.values())), strict=True)
    significant = {pair: p_value for pair, p_value in adjusted if p_value <= level}
    return _events(breaks, significant, reach=reach)


def _p_value(one: Floats, other: Floats, *, reach: float, span: float, rng: np.random.Generator) -> float:
    shifts = np.append(0.0, rng.uniform(0, span, size=NUM_SHUFFLES))
    distances = np.abs(one[:, None] - other + shifts[:, None, None]) % span
    nearest = np.minimum(distances, span - distances).min(axis=2)
    scores = np.maximum(1 - nearest / reach, 0).sum(axis=1)
    return float((scores >= scores[0] - 1e-9).sum()) / len(scores)


def _events(breaks: Sequence[Break], significant: Mapping[Pair, float], *, reach: float) -> list[JointBreak]:
    """Groups of linked breaks: each break links to the nearest one of a metric that significantly co-occurs."""
    links: dict[int, set[int]] = defaultdict(set)
    for first, second in _neighbours(breaks, significant, reach=reach):
        links[first].add(second)
        links[second].add(first)
    joint, seen = [], set[int]()
    for start in sorted(links):
        if start not in seen:
            group = _connected(links, start)
            seen |= group
            joint.append(_joint([breaks[index] for index in sorted(group)], significant))
    return sorted(joint, key=lambda event: event.step)


def _neighbours(breaks: Sequence[Break], pairs: Iterable[Pair], *, reach: float) -> Iterator[tuple[int, int]]:
    """(index of a break, index of the nearest break of the other metric) for breaks within reach."""
    for one, other in pairs:
        theirs = [index for index, found in enumerate(breaks) if found.metric == other]
        for index in (index for index, found in enumerate(breaks) if found.metric == one):
            nearest = min(theirs, key=lambda place: abs(breaks[place].step - breaks[index].step))
            if abs(breaks[nearest].step - breaks[index].step) <= reach:
                yield index, nearest


def _connected(links: Mapping[int, set[int]], start: int) -> set[int]:
    group, waiting = {start}, [start]
    while waiting:
        new = links[waiting.pop()] - group
        group |= new
        waiting += new
    return group


def _joint(members: Sequence[Break], significant: Mapping[Pair, float]) -> JointBreak:
    places = [one.step for one in members]
    metrics = tuple(dict.fromkeys(one.metric for one in members))
    return JointBreak(
        step=float(np.median(places)),
        low=min(places),
        high=max(places),
        metrics=metrics,
        p_value=max(significant[pair] for pair in combinations(metrics, 2) if pair in significant),
    )
