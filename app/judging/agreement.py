"""Do judges agree, and which of two sides do they prefer: Cohen's kappa and a sign test, each with an interval."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from analysis.behaviours.agreement import Kappa, cohen_kappa
from app.judging.annotations import Annotation, Entry, annotation_of
from app.queries.keys import Response

AS_GRADED = "as graded"
"""The category of a judge who has not overridden the grader's verdict."""


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
