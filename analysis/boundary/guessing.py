"""What a guesser would solve who draws the model's answers to other questions of the benchmark, without reading any.

A right answer that such a guesser gives often enough shows nothing: a model that answers 0 to 999 at random solves
every problem of AIME in enough samples. The guesser does not know the question, so it is a lower bound of guessing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.boundary.answers import Answered
from orz_bench.records.intervals import beta_cdf

LEVEL = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Guesser:
    """The guesser made of one model's answers."""

    rates: Mapping[str, float]
    """By problem: the probability that a guess is right."""
    explained: frozenset[str]
    """Problems with right samples that are no more than guesses would give (binomial test, one-sided, above 5 %)."""

    def pass_at(self, k: int) -> float:
        """The guesser's pass@k: the mean over problems of 1 - (1 - rate)^k."""
        return float(np.mean([1 - (1 - rate) ** k for rate in self.rates.values()]))


def guesser_of(answered: Mapping[str, Answered]) -> Guesser | None:
    """The guesser of one model; None where answers are unknown, or there is one question."""
    if len(answered) < 2 or not all(each.knows_answers for each in answered.values()):
        return None
    pool: dict[str, float] = defaultdict(float)
    for each in answered.values():
        for answer, count in each.answers.items():
            pool[answer] += count / each.num
    others = len(answered) - 1
    rates = {
        problem_id: sum(pool.get(answer, 0.0) - each.answers.get(answer, 0) / each.num for answer in each.right)
        / others
        for problem_id, each in answered.items()
    }
    rates = {problem_id: min(1.0, max(0.0, rate)) for problem_id, rate in rates.items()}
    explained = (
        problem_id
        for problem_id, each in answered.items()
        if each.num_right and at_least(each.num_right, num=each.num, rate=rates[problem_id]) > LEVEL
    )
    return Guesser(rates=rates, explained=frozenset(explained))


def at_least(num_right: int, *, num: int, rate: float) -> float:
    """Probability of `num_right` or more right ones among `num` guesses."""
    if rate <= 0 or rate >= 1:
        return float(rate >= 1)
    return beta_cdf(rate, a=num_right, b=num - num_right + 1)


def without(answered: Mapping[str, Answered], problems: Sequence[str] | frozenset[str]) -> dict[str, Answered]:
    """The same samples, where those problems count as unsolved."""
    return {key: replace(each, num_right=0) if key in problems else each for key, each in answered.items()}
