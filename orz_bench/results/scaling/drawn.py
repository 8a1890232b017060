"""Rules that depend on sums of numbers or on an order: their mean over orders in which n samples could have been drawn.

All n! orders for n <= 6, otherwise 1,024 seeded ones: rotations of random orders, each of which is as likely as any
other, so that the mean is unbiased. Its error is small, because only the difference from the majority of the same
orders is estimated, whose own mean is known in closed form. A rule sees the first k samples of every order at once.

Arrays have a row for each order, and a column for each sample drawn or for each class of answers.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from orz_bench.records.intervals import beta_cdf
from orz_bench.results.scaling.question import NO_ANSWER, RIGHT, AnsweredQuestion, Array
from orz_bench.seeds import sample_seed

_ALL_UP_TO = 6
_ORDERS = 1024
SHORTEST = 3
"""m of short-m@k."""
WINDOW = 5
"""Answers in a row that must agree for ESC to stop."""
CONFIDENCE = 0.95
"""Of Adaptive-Consistency that the leading answer stays ahead."""
_EQUAL = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of every order."""

    accuracy: Array
    """Probability that the chosen answer is right: a fraction for ties."""
    lengths: Array
    """Tokens generated."""


def orders_of(question: AnsweredQuestion) -> Array:
    """Orders of the samples' indices, (O, n)."""
    n = question.n
    if n <= _ALL_UP_TO:
        return np.array(list(itertools.permutations(range(n))))
    rng = np.random.default_rng(sample_seed(0, step=0, benchmark="", problem_id=question.problem_id, sample_index=0))
    rotations = (np.arange(n)[:, None] + np.arange(n)) % n
    return np.concatenate([rng.permutation(n)[rotations] for _ in range(math.ceil(_ORDERS / n))])


def is_exact(n: int) -> bool:
    """Whether orders_of() are all orders."""
    return n <= _ALL_UP_TO


def plain_majority(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """The most frequent answer of all k."""
    drawn = orders[:, :k]
    counts = _counts(question, drawn)
    return Outcome(_right_share(counts, counts > 0), _whole(question, drawn))


def value_majority(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """The answer with the greatest sum of its samples' final values; a negative value counts as 0."""
    weights = np.maximum(question.values["final"], 0.0)
    drawn = orders[:, :k]
    votes = _per_class(question, drawn, weights=weights)
    return Outcome(_right_share(votes, _counts(question, drawn) > 0), _whole(question, drawn))


def shortest_majority(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """The answer with the greatest c / log(l): c votes of mean length l; a logarithm below 1 counts as 1."""
    drawn = orders[:, :k]
    counts = _counts(question, drawn)
    means = _per_class(question, drawn, weights=question.lengths) / np.maximum(counts, 1)
    return Outcome(_right_share(counts / np.log(np.maximum(means, math.e)), counts > 0), _whole(question, drawn))


def short_m(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """The majority of the m shortest of k responses generated side by side, the shorter for ties; the others stop.

    Those that are stopped have as many tokens as the longest of the m.
    """
    m = min(SHORTEST, k)
    drawn = orders[:, :k]
    ranked = np.take_along_axis(drawn, np.argsort(question.lengths[drawn], axis=1, kind="stable"), axis=1)[:, :m]
    taken = question.lengths[ranked]
    votes = _counts(question, ranked)
    # To break ties, the earliest vote for an answer counts more, but less than one vote.
    early = np.zeros(votes.shape)
    for at in range(m):
        classes = question.answers[ranked[:, at]]
        rows = np.flatnonzero(classes != NO_ANSWER)
        early[rows, classes[rows]] = np.maximum(early[rows, classes[rows]], (m - at) / (m + 1))
    lengths = taken.sum(axis=1) + (k - m) * taken[:, -1]
    return Outcome(_right_share(votes + early, votes > 0), lengths)


def early_stopping(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """ESC: draw WINDOW answers at a time until all of one window agree, at most k; the majority of those drawn."""
    answers = question.answers[orders[:, :k]]
    stops = np.full(len(orders), k)
    for end in range(k - k % WINDOW, 0, -WINDOW):
        window = answers[:, end - WINDOW : end]
        agrees = (window == window[:, :1]).all(axis=1) & (window[:, 0] != NO_ANSWER)
        stops[agrees] = end
    return _stopped(question, orders[:, :k], stops=stops)


def adaptive(question: AnsweredQuestion, orders: Array, *, k: int) -> Outcome:
    """Adaptive-Consistency: draw one answer at a time until the first leads the second with CONFIDENCE, at most k."""
    drawn = orders[:, :k]
    counts = np.zeros((len(drawn), max(2, question.num_classes)), dtype=np.int64)
    stops = np.full(len(drawn), k)
    going = np.ones(len(drawn), dtype=bool)
    enough = _lead_table(k)
    for at in range(k):
        classes = question.answers[drawn[:, at]]
        rows = np.flatnonzero(classes != NO_ANSWER)
        counts[rows, classes[rows]] += 1
        two = np.partition(counts, -2, axis=1)[:, -2:]
        done = going & enough[two[:, 1], two[:, 0]]
        stops[done] = at + 1
        going &= ~done
    return _stopped(question, drawn, stops=stops)


@lru_cache(maxsize=8)
def _lead_table(k: int) -> Array:
    """[first, second]: whether P(p > 1/2) under Beta(first + 1, second + 1) reaches CONFIDENCE."""
    table = np.zeros((k + 1, k + 1), dtype=bool)
    for second in range(k + 1):
        for first in range(second, k + 1 - second):
            table[first:, second] = 1 - beta_cdf(0.5, a=first + 1, b=second + 1) >= CONFIDENCE
            if table[first, second]:
                break
    return table


def _stopped(question: AnsweredQuestion, drawn: Array, *, stops: Array) -> Outcome:
    """The majority of the samples drawn before the stop, and their tokens."""
    is_drawn = np.arange(drawn.shape[1]) < stops[:, None]
    counts = _counts(question, drawn, where=is_drawn)
    length = np.where(is_drawn, question.lengths[drawn], 0.0).sum(axis=1)
    return Outcome(_right_share(counts, counts > 0), length)


def _whole(question: AnsweredQuestion, drawn: Array) -> Array:
    total: Array = question.lengths[drawn].sum(axis=1)
    return total


def _counts(question: AnsweredQuestion, drawn: Array, *, where: Array | None = None) -> Array:
    return _per_class(question, drawn, weights=np.ones(question.n), where=where)


def _per_class(question: AnsweredQuestion, drawn: Array, *, weights: Array, where: Array | None = None) -> Array:
    """The sum of the drawn samples' weights by class of answer; samples without an answer are left out."""
    classes = question.answers[drawn]
    kept = classes != NO_ANSWER if where is None else (classes != NO_ANSWER) & where
    rows = np.broadcast_to(np.arange(len(drawn))[:, None], classes.shape)
    size = len(drawn) * question.num_classes
    flat = rows[kept] * question.num_classes + classes[kept]
    return np.bincount(flat, weights[drawn][kept], minlength=size).reshape(len(drawn), question.num_classes)


def _right_share(scores: Array, is_drawn: Array) -> Array:
    """1 where the right answer has the highest score, a fraction where it shares it, 0 otherwise."""
    ranked = np.where(is_drawn, scores, -np.inf)
    best = ranked.max(axis=1, keepdims=True)
    leads = is_drawn & (ranked >= best - _EQUAL * np.maximum(1.0, np.abs(best)))
    found: Array = leads[:, RIGHT] / np.maximum(1, leads.sum(axis=1))
    return found
