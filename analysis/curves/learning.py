"""Did a run learn, and when: changes of curves from start to end, and evaluations compared question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.curves.curve import Array, smooth, window_for
from analysis.curves.trends import changes
from analysis.reading.load import Evaluation
from orz_bench.results.comparison import Comparison, compare, holm

_SHARE_OF_ENDS = 0.1
_MOST_STEPS = 10
_MIN_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A curve's mean over its first and over its last tenth of steps, at most ten."""

    first: float
    last: float
    num_steps: int
    """Steps in each of the two means."""
    is_clear: bool
    """Whether the change exceeds the noise, which may be correlated (analysis.curves.trends)."""
    half_step: float | None
    """The first step at which half of the change is reached in the smoothed curve; None if the change is not clear."""
    most_step: float | None
    """The same for nine tenths of the change."""

    @property
    def difference(self) -> float:
        """last - first."""
        return self.last - self.first


def change_of(steps: Array, values: Array) -> Change | None:
    """The change of a curve; None with fewer than four finite values.

    It is clear if the curve changes by more than its noise (trends.py), in the direction of these means.
    """
    known = np.isfinite(values)
    steps, values = steps[known], values[known]
    if len(values) < _MIN_STEPS:
        return None
    size = min(_MOST_STEPS, max(1, round(_SHARE_OF_ENDS * len(values))))
    first, last = float(values[:size].mean()), float(values[-size:].mean())
    is_clear = changes(values.astype(np.float64), ends=size) * (last - first) > 0
    way = (smooth(values, window_for(len(values))) - first) / (last - first) if is_clear else None
    return Change(
        first=first,
        last=last,
        num_steps=size,
        is_clear=is_clear,
        half_step=_first_at(steps, way, share=0.5),
        most_step=_first_at(steps, way, share=0.9),
    )


def _first_at(steps: Array, way: Array | None, *, share: float) -> float | None:
    if way is None:
        return None
    reached = np.flatnonzero(way >= share)
    return float(steps[reached[0]]) if len(reached) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkChange:
    """One benchmark at the first and the last evaluated step, compared on the same questions."""

    benchmark: str
    first_step: int
    last_step: int
    n: int
    comparison: Comparison
    p_holm: float
    """p-value adjusted for the number of benchmarks."""


def benchmark_changes(evaluations: Sequence[Evaluation]) -> list[BenchmarkChange]:
    """By name, for benchmarks with finished evaluations under one protocol at two or more steps."""
    outcomes = [(pair, _outcomes(pair[0]), _outcomes(pair[1])) for pair in ends_of(evaluations)]
    chosen = [pair for pair, first, last in outcomes if first.keys() & last.keys()]
    compared = [compare(first, last) for _, first, last in outcomes if first.keys() & last.keys()]
    adjusted = holm([comparison.p_value for comparison in compared])
    found = [
        BenchmarkChange(
            benchmark=first.benchmark,
            first_step=first.step,
            last_step=last.step,
            n=last.result.summary.n if last.result else 0,
            comparison=comparison,
            p_holm=p_value,
        )
        for (first, last), comparison, p_value in zip(chosen, compared, adjusted, strict=True)
    ]
    return sorted(found, key=lambda progress: progress.benchmark)


def ends_of(evaluations: Sequence[Evaluation]) -> list[tuple[Evaluation, Evaluation]]:
    """(first, last) for each benchmark with two finished evaluations under one protocol that have lost no sample."""
    return [pair for pairs in _by_protocol(evaluations).values() if (pair := _ends(pairs)) is not None]


def _by_protocol(evaluations: Sequence[Evaluation]) -> dict[str, list[list[Evaluation]]]:
    by_key: dict[str, dict[str, list[Evaluation]]] = defaultdict(lambda: defaultdict(list))
    superseded = {(one.benchmark, one.step, one.result.regraded_from) for one in evaluations if one.result is not None}
    for evaluation in evaluations:
        is_graded_again = (evaluation.benchmark, evaluation.step, evaluation.fingerprint) in superseded
        if evaluation.result is not None and not is_graded_again and not evaluation.num_lost:
            by_key[evaluation.benchmark][evaluation.fingerprint].append(evaluation)
    return {benchmark: list(protocols.values()) for benchmark, protocols in by_key.items()}


def _ends(protocols: Sequence[Sequence[Evaluation]]) -> tuple[Evaluation, Evaluation] | None:
    most = max(protocols, key=_num_steps)
    longest = sorted(most, key=lambda evaluation: evaluation.step)
    return (longest[0], longest[-1]) if longest[0].step < longest[-1].step else None


def _outcomes(evaluation: Evaluation) -> dict[str, list[bool]]:
    numbers = evaluation.samples.numbers()
    is_right = numbers["verdict"] == "correct"
    return {str(name): rows.tolist() for name, rows in is_right.groupby(numbers["problem_id"], observed=True)}


def _num_steps(protocol: Sequence[Evaluation]) -> int:
    return len({evaluation.step for evaluation in protocol})
