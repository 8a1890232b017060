"""Problems that only one of two models was seen to solve, with what no success among n samples leaves possible."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.boundary.answers import Answered
from orz_bench.results.comparison import holm

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A problem that one of two models solved in some of its samples, the other in none."""

    problem_id: str
    num: int
    """Samples of the model that solved it."""
    num_right: int
    num_other: int
    """Samples of the model that did not."""
    other_at_most: float
    """The largest success rate of the other model, at 95 %: 1 - 0.05^(1 / num_other)."""
    p_value: float
    """Fisher's exact test (one-sided): that many right samples, all on one side, if both models had the same rate."""
    p_holm: float
    """Adjusted for the number of problems that moved."""

    @property
    def is_sure(self) -> bool:
        """Whether the other model's rate is surely lower."""
        return self.p_holm <= LEVEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """Problems by whether a sample of the base and of the trained model solved them."""

    both: int
    neither: int
    neither_at_most: float | None
    """The largest success rate of either model on a problem that neither solved, at 95 %; None if there is none."""
    entered: tuple[Moved, ...]
    """Solved by the trained model alone, the surest first."""
    left: tuple[Moved, ...]
    """Solved by the base alone."""


def upper_bound(num: int) -> float:
    """The success rate at which `num` samples without a success have a probability of 5 %."""
    return 1.0 - math.exp(math.log(LEVEL) / num)


def one_sided(num_right: int, *, num: int, num_other: int) -> float:
    """Probability that all right samples are among `num` of `num + num_other`: Fisher's exact test at its end."""
    return math.comb(num, num_right) / math.comb(num + num_other, num_right)


def support_of(base: Mapping[str, Answered], run: Mapping[str, Answered]) -> Support:
    """Of the problems that both were asked."""
    shared = sorted(base.keys() & run.keys())
    entered = [key for key in shared if run[key].num_right and not base[key].num_right]
    left = [key for key in shared if base[key].num_right and not run[key].num_right]
    neither = [key for key in shared if not base[key].num_right and not run[key].num_right]
    pairs = [*((run[key], base[key]) for key in entered), *((base[key], run[key]) for key in left)]
    p_values = [one_sided(one.num_right, num=one.num, num_other=other.num) for one, other in pairs]
    rows = [
        _moved(key, pair, p_value=p_value, p_holm=adjusted)
        for key, pair, p_value, adjusted in zip([*entered, *left], pairs, p_values, holm(p_values), strict=True)
    ]
    fewest = [min(base[key].num, run[key].num) for key in neither]
    return Support(
        both=len(shared) - len(entered) - len(left) - len(neither),
        neither=len(neither),
        neither_at_most=max(map(upper_bound, fewest), default=None),
        entered=_surest_first(rows[: len(entered)]),
        left=_surest_first(rows[len(entered) :]),
    )


def _moved(problem_id: str, pair: tuple[Answered, Answered], *, p_value: float, p_holm: float) -> Moved:
    one, other = pair
    return Moved(
        problem_id=problem_id,
        num=one.num,
        num_right=one.num_right,
        num_other=other.num,
        other_at_most=upper_bound(other.num),
        p_value=p_value,
        p_holm=p_holm,
    )


def _surest_first(rows: Sequence[Moved]) -> tuple[Moved, ...]:
    return tuple(sorted(rows, key=lambda row: (row.p_value, row.problem_id)))
