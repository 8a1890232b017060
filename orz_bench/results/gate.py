"""Whether a candidate may replace a base: a decision for every benchmark of a policy, and one for all.

For a benchmark the question is whether the candidate loses less than a margin. It is GO when a lower bound of the
paired difference over questions lies above -margin, NO-GO when an upper bound lies below it. Each bound is wrong in at
most `error` of all cases. Looks at growing numbers of samples share that error equally (Bonferroni), so looking again
does not make a wrong decision more likely. All benchmarks have to pass, so their errors do not add up either: an
intersection-union test (Berger 1982).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from orz_bench.errors import ConfigError
from orz_bench.results.comparison import Outcomes, bootstrap_interval, unseen_difference

Decision = Literal["GO", "NO-GO", "INCONCLUSIVE"]
Tier = Literal["required", "advisory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What is asked of a benchmark."""

    benchmark: str
    margin: float
    """A loss, as a fraction, that would not matter."""
    tier: Tier
    """required: decides. advisory: is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """The decision on one benchmark."""

    rule: Rule
    samples: int
    """Samples of each question on each side."""
    num_questions: int
    difference: float
    """Candidate minus base, as a fraction."""
    low: float
    high: float
    decision: Decision


def decide(base: Outcomes, candidate: Outcomes, *, rule: Rule, looks: Sequence[int], error: float) -> Gated | None:
    """The decision at the largest look that the samples reach; None if they do not reach the first.

    `looks`: samples per question at which a decision may be made, rising. Raises ConfigError if no question is shared.
    """
    shared = sorted(set(base) & set(candidate))
    if not shared:
        raise ConfigError(f"{rule.benchmark}: the two runs share no question; evaluate both on the same data.")
    fewest = min(len(side[key]) for side in (base, candidate) for key in shared)
    samples = max((look for look in looks if look <= fewest), default=None)
    if samples is None:
        return None
    differences = np.array([float(np.mean(candidate[key][:samples]) - np.mean(base[key][:samples])) for key in shared])
    low, high = bootstrap_interval(
        differences,
        np.random.default_rng(0),
        unseen=unseen_difference(differences, samples_each=samples),
        tail=error / len(looks),
    )
    decision: Decision = "GO" if low > -rule.margin else "NO-GO" if high < -rule.margin else "INCONCLUSIVE"
    return Gated(
        rule=rule,
        samples=samples,
        num_questions=len(shared),
        difference=float(differences.mean()),
        low=low,
        high=high,
        decision=decision,
    )


def overall(gated: Sequence[Gated]) -> Decision:
    """NO-GO if a required benchmark is, GO if all of them are."""
    decisions = {one.decision for one in gated if one.rule.tier == "required"}
    if "NO-GO" in decisions:
        return "NO-GO"
    return "GO" if decisions == {"GO"} else "INCONCLUSIVE"
