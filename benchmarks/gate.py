"""Errors and samples of `orz-bench gate` on simulated pairs: looks at 4, 8, 16 and 32 samples, or 32 at once

A benchmark has 200 questions. A model solves question q with its own probability; the candidate's differ from the
base's by a random amount with a given mean. At the margin a GO is wrong (at most 5 % may be); a candidate that is as
good as the base should pass. Samples count per question, until the decision or the last look.
"""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np
from _record import keep

from orz_bench.results.comparison import Outcomes
from orz_bench.results.gate import Rule, decide

QUESTIONS, LOOKS = 200, (4, 8, 16, 32)
PAIRS = {"at the margin": 1000}
USUAL_PAIRS = 200
MARGIN, SPREAD, ERROR = 0.03, 0.12, 0.05
TRUE = {"at the margin": -MARGIN, "half of it": -MARGIN / 2, "equal": 0.0, "better": 0.03, "worse": -0.09}


def pair(rng: np.random.Generator, difference: float) -> tuple[Outcomes, Outcomes]:
    """Samples of both. The mean over the questions of a pair varies around `difference`, as with real questions."""
    base = rng.beta(0.8, 0.8, QUESTIONS) * 0.7 + 0.15
    other = base + np.clip(difference + SPREAD * rng.standard_normal(QUESTIONS), -0.15, 0.15)
    shift = difference - float(np.clip(difference + SPREAD * rng.standard_normal(200_000), -0.15, 0.15).mean())
    sides = [rng.random((QUESTIONS, LOOKS[-1])) < np.clip(chance, 0, 1)[:, None] for chance in (base, other + shift)]
    first, second = ({str(q): list(row) for q, row in enumerate(side)} for side in sides)
    return first, second


def sequential(base: Outcomes, candidate: Outcomes, rule: Rule) -> tuple[str, int]:
    """The decision, and the samples it took."""
    for look in LOOKS:
        cut = [{key: row[:look] for key, row in side.items()} for side in (base, candidate)]
        gated = decide(*cut, rule=rule, looks=LOOKS, error=ERROR)
        assert gated is not None
        if gated.decision != "INCONCLUSIVE":
            return gated.decision, look
    return "INCONCLUSIVE", LOOKS[-1]


def main() -> None:
    rule, found = Rule(benchmark="made up", margin=MARGIN, tier="required"), {}
    for name, difference in TRUE.items():
        rng = np.random.default_rng(7)
        looked, at_once, samples = Counter[str](), Counter[str](), []
        for _ in range(PAIRS.get(name, USUAL_PAIRS)):
            base, candidate = pair(rng, difference)
            decision, taken = sequential(base, candidate, rule)
            looked[decision] += 1
            samples.append(taken)
            whole = decide(base, candidate, rule=rule, looks=LOOKS[-1:], error=ERROR)
            assert whole is not None
            at_once[whole.decision] += 1
        found[name] = {
            "true_difference": difference,
            "pairs": len(samples),
            "with_looks": dict(looked),
            "at_once": dict(at_once),
            "samples_mean": statistics.fmean(samples),
            "fewer_samples": 1 - statistics.fmean(samples) / LOOKS[-1],
        }
    keep("gate", {"questions": QUESTIONS, "margin": MARGIN, "looks": list(LOOKS), "truths": found})


if __name__ == "__main__":
    main()
