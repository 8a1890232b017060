"""Estimates over all subsets of k samples in closed form: majority vote and best of k. Pure functions.

pass@k is `pass_at_k` of results.statistics. Tested against the mean over every subset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from orz_bench.results.scaling.question import NO_ANSWER, RIGHT, AnsweredQuestion, Array
from orz_bench.results.statistics import pass_at_k


def majority_at_k(question: AnsweredQuestion, *, k: int) -> float:
    """Probability that the most frequent answer of k samples drawn without replacement is right.

    Ties are broken at random, samples without an answer do not vote: the mean of `majority` over all subsets. Number of
    right votes j by number: the votes of each wrong answer are a polynomial with powers up to j, so that the product of
    all has the ways to draw the other k - j samples without a wrong answer ahead; ties are counted along.
    """
    counts = np.bincount(question.answers + 1, minlength=2)
    silent, right, wrong = int(counts[NO_ANSWER + 1]), int(counts[RIGHT + 1]), [int(c) for c in counts[2:] if c]
    pass_at_k(question.n, right, k=k)  # ConfigError for k > n
    if not right:
        return 0.0
    share = k / question.n
    reached = sum(
        _binomial(right, j, share=share) * _not_ahead(j, k - j, silent=silent, wrong=wrong, share=share)
        for j in range(1, min(right, k) + 1)
    )
    return min(1.0, reached / _binomial(question.n, k, share=share))


def best_at_k(question: AnsweredQuestion, scores: Array, *, k: int) -> float:
    """Probability that the sample with the highest score among k drawn ones is right.

    Ties are broken at random; a sample without an answer is chosen only if no other was drawn.
    """
    ranked = np.where(question.answers == NO_ANSWER, -np.inf, scores)
    found, above = 0.0, 0
    for score in np.unique(ranked)[::-1]:
        tied = ranked == score
        upto = above + int(tied.sum())
        is_best = pass_at_k(question.n, upto, k=k) - pass_at_k(question.n, above, k=k)
        found += is_best * float(question.is_right[tied].mean())
        above = upto
    return found


def _not_ahead(j: int, others: int, *, silent: int, wrong: Sequence[int], share: float) -> float:
    """Weight of the draws of `others` samples in which no wrong answer has more than j votes; t ties count 1/(1+t)."""
    ties = others // j
    ways = np.zeros((others + 1, ties + 1))
    for c in range(min(silent, others) + 1):
        ways[c, 0] = _binomial(silent, c, share=share)
    for count in wrong:
        ways = _with_answer(ways, count, j=j, share=share)
    return float(ways[others] @ (1 / (1 + np.arange(ties + 1))))


def _with_answer(ways: Array, count: int, *, j: int, share: float) -> Array:
    """The product with one wrong answer's polynomial: fewer votes than j, or as many, which is one more tie."""
    found = np.zeros_like(ways)
    for c in range(min(count, j, len(ways) - 1) + 1):
        weighted = _binomial(count, c, share=share) * ways[: len(ways) - c]
        if c < j:
            found[c:] += weighted
        else:
            found[c:, 1:] += weighted[:, :-1]
    return found


def _binomial(n: int, c: int, *, share: float) -> float:
    """C(n, c) share^c (1 - share)^(n - c): the powers cancel in a quotient, and keep its terms within range."""
    if share == 1.0:
        return float(c == n)
    log = math.lgamma(n + 1) - math.lgamma(c + 1) - math.lgamma(n - c + 1)
    return math.exp(log + c * math.log(share) + (n - c) * math.log1p(-share))
