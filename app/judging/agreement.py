"""Do judges agree, and which of two sides do they prefer: Cohen's kappa and a sign test, each with an interval."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.judging.annotations import Annotation, Entry, annotation_of
from app.queries.keys import Response
from orz_bench.records.intervals import Interval, binomial_interval

AS_GRADED = "as graded"
"""The category of a judge who has not overridden the grader's verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kappa:
    """Agreement of two judges beyond chance."""

    num_items: int
    """Judged by both."""
    num_same: int
    """In the same category."""
    kappa: float | None
    """(observed - expected) / (1 - expected) agreement: Cohen 1960. None where both always use one category."""
    interval: Interval | None


def cohen_kappa(categories: Sequence[tuple[str, str]]) -> Kappa:
    """Cohen's kappa of the categories that two judges gave to each item, with its 95 % interval.

    The interval is that of the share of equal categories (binomial, mid-p), at the expected agreement found: it is
    never of width 0, and contains the true kappa in at least 94 of 100 cases with 20 items or more (by simulation).
    """
    n, same = len(categories), sum(a == b for a, b in categories)
    first, second = (Counter(pair[side] for pair in categories) for side in (0, 1))
    expected = sum(first[name] * second[name] for name in first) / n**2 if n else 1.0
    if n == 0 or expected == 1:
        return Kappa(num_items=n, num_same=same, kappa=None, interval=None)

    def beyond_chance(share: float) -> float:
        return max((share - expected) / (1 - expected), -1.0)

    around = binomial_interval(same / n, n)
    interval = Interval(beyond_chance(around.low), beyond_chance(around.high))
    return Kappa(num_items=n, num_same=same, kappa=beyond_chance(same / n), interval=interval)


def sign_test(num_first: int, num_second: int) -> float:
    """Two-sided exact p of as unequal a division, or more, if both sides are as likely; 1 without any."""
    n, least = num_first + num_second, min(num_first, num_second)
    ways = sum(math.comb(n, k) for k in range(least + 1))
    return float(min(Fraction(1), Fraction(2 * ways, 2**n)))


States = Mapping[str, Mapping[Response, Annotation]]
"""By judge: what each has said of every response."""


def states_by_judge(entries: Mapping[Response, Sequence[Entry]]) -> dict[str, dict[Response, Annotation]]:
    """What each judge says of the responses that he or she has judged, whatever others say of them."""
    found: dict[str, dict[Response, Annotation]] = {}
    for response, said in entries.items():
        for judge in dict.fromkeys(entry.author for entry in said):
            own = [entry for entry in said if entry.author == judge]
            found.setdefault(judge, {})[response] = annotation_of(response.key, own)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two judges agree on one thing."""

    what: str
    first: str
    second: str
    kappa: Kappa


def agreements(states: States) -> list[Agreement]:
    """For every two judges: overrides, then each tag that one of them uses, on the responses that both have judged."""
    found: list[Agreement] = []
    for first, second in itertools.combinations(sorted(states), 2):
        shared = [response for response in states[first] if response in states[second]]
        pairs = [(states[first][response], states[second][response]) for response in shared]
        tags = sorted({tag for pair in pairs for one in pair for tag in one.tags})
        said = {"verdict": [(a.verdict or AS_GRADED, b.verdict or AS_GRADED) for a, b in pairs]}
        said |= {f"tag {tag}": [(str(tag in a.tags), str(tag in b.tags)) for a, b in pairs] for tag in tags}
        found += [
            Agreement(what=what, first=first, second=second, kappa=cohen_kappa(categories))
            for what, categories in said.items()
            if pairs
        ]
    return found
