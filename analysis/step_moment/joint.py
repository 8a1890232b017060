"""Breaks that several metrics share: which fall together, and how easily they would by chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.step_moment.breaks import Break, JointBreak

Floats = NDArray[np.float64]

WINDOW_STEPS = 20.0
"""Breaks within so many steps of one another may be one event."""
NUM_SHIFTS = 1999


def find_joint_breaks(
    breaks: Sequence[Break],
    steps: ArrayLike,
    *,
    window_steps: float = WINDOW_STEPS,
    level: float = 0.05,
    seed: int = 0,
) -> list[JointBreak]:
    """The events in which at least two metrics break within a window, by step; empty where none is better than chance.

    Args:
        breaks: of all metrics, as `find_breaks` gives them for curves over the same steps.
        steps: (n,), the steps that the curves have in common.
        window_steps: from the first to the last break of an event.
        level: largest p-value of a reported event.
        seed: of the shifts.

    The score of an event is the expected number of events as good that independent breaks would make: the product, over
    its metrics, of how many breaks that metric has that are at least as strong, times the share of the run that is as
    near, once for each metric after the first. The p-value is the share of worlds, in which the breaks of each metric
    are shifted together around the run by an amount of its own, whose best event scores as well: it holds for all
    events at once.
    """
    x = np.asarray(steps, dtype=float)
    by_metric: dict[str, list[Break]] = defaultdict(list)
    for one in breaks:
        by_metric[one.metric].append(one)
    if len(by_metric) < 2 or len(x) < 2:
        return []
    start, span = float(x[0]), float(x[-1] - x[0])
    ranks = {metric: _ranks(of_metric) for metric, of_metric in by_metric.items()}
    places = {metric: np.array([one.step for one in of_metric]) for metric, of_metric in by_metric.items()}
    observed = _events(places, ranks, span=span, window=window_steps)
    rng = np.random.default_rng(seed)
    chance = np.sort([_best(_shifted(places, start, span, rng), ranks, span, window_steps) for _ in range(NUM_SHIFTS)])
    joint = []
    for score, members in observed:
        p_value = (1 + int(np.searchsorted(chance, score * (1 + 1e-9)))) / (1 + NUM_SHIFTS)
        if p_value <= level:
            found = [by_metric[metric][index] for metric, index in members.items()]
            joint.append(_joint(found, p_value))
    return sorted(joint, key=lambda one: one.step)


def _joint(members: list[Break], p_value: float) -> JointBreak:
    places = [one.step for one in members]
    return JointBreak(
        step=float(np.median(places)),
        low=min(places),
        high=max(places),
        metrics=tuple(one.metric for one in members),
        p_value=p_value,
    )


def _ranks(breaks: list[Break]) -> Floats:
    """1 for a metric's strongest break, 2 for the next, ..."""
    strengths = np.array([one.gain for one in breaks])
    return np.asarray((strengths[:, None] <= strengths).sum(axis=1), dtype=float)


def _shifted(
    places: Mapping[str, Floats], start: float, span: float, rng: np.random.Generator
) -> dict[str, Floats]:  # the start of the run follows its end
    return {metric: start + (at - start + rng.uniform(0, span)) % span for metric, at in places.items()}


def _best(places: Mapping[str, Floats], ranks: Mapping[str, Floats], span: float, window: float) -> float:
    return min((score for score, _ in _events(places, ranks, span=span, window=window)), default=np.inf)


def _events(
    places: Mapping[str, Floats], ranks: Mapping[str, Floats], *, span: float, window: float
) -> list[tuple[float, dict[str, int]]]:
    """(score, index of the break of every metric that takes part), best first; no break takes part in two."""
    marks = sorted((at, metric, index) for metric, of_metric in places.items() for index, at in enumerate(of_metric))
    candidates = [
        event
        for first, (at, _, _) in enumerate(marks)
        for last in range(first + 1, len(marks))
        if marks[last][0] - at <= window
        for event in _prefixes(marks[first : last + 1], ranks, span)
    ]
    events: list[tuple[float, dict[str, int]]] = []
    used: set[tuple[str, int]] = set()
    for score, members in sorted(candidates, key=lambda candidate: candidate[0]):
        if not used & set(members.items()):
            events.append((score, members))
            used |= set(members.items())
    return events


def _prefixes(
    marks: list[tuple[float, str, int]], ranks: Mapping[str, Floats], span: float
) -> list[tuple[float, dict[str, int]]]:
    """The event of these neighbouring marks, with the strongest break of each metric, if that takes two metrics."""
    members: dict[str, int] = {}
    for _, metric, index in marks:
        if metric not in members or ranks[metric][index] < ranks[metric][members[metric]]:
            members[metric] = index
    if len(members) < 2:
        return []
    at = sorted(place for place, metric, index in marks if members[metric] == index)
    reach = min(1.0, (2 * max(np.diff(at).sum(), 0.5)) / span)
    counts = np.prod([ranks[metric][index] for metric, index in members.items()])
    return [(float(counts) * reach ** (len(members) - 1), members)]
