"""Whether carrying samples over updates prefers short answers: mean length of what is learned against what is drawn.

The simulation of tests/support/carrying.py, over seeds and many steps: a run's windowed FIFO (as many problems as two
steps have, as the limit of age of two updates allows), and the rule that takes what ends first and drops what has
become too old; with engines that wait for learning, the reverse, and in between.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Any

from _record import keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.carrying import PER_STEP, Lengths, Machine, learned_lengths

SEEDS, STEPS, MEAN = range(10), 500, 100
MACHINES = {
    "engines_wait": Machine(slots=48, update=120.0),
    "balanced": Machine(slots=24, update=240.0),
    "learning_waits": Machine(slots=24, update=120.0),
}


def main() -> None:
    result: dict[str, Any] = {}
    for name, machine in MACHINES.items():
        for rule in ("window", "first_finished"):
            found = [learned_lengths(Lengths(mean=MEAN, seed=seed), machine, rule=rule, steps=STEPS) for seed in SEEDS]
            ratios = [each.mean / each.drawn_mean for each in found]
            begun = STEPS * PER_STEP + statistics.fmean(each.num_dropped for each in found)
            result.setdefault(name, {})[rule] = {
                "learned_over_drawn_mean_length": round(statistics.fmean(ratios), 4),
                "standard_error_over_seeds": round(statistics.stdev(ratios) / len(ratios) ** 0.5, 5),
                "least_and_most": [round(min(ratios), 4), round(max(ratios), 4)],
                "dropped_share": round(statistics.fmean(each.num_dropped for each in found) / begun, 4),
                "mean_age_updates": round(statistics.fmean(each.mean_age for each in found), 3),
            }
    keep("partial_lengths", {"seeds": len(SEEDS), "steps": STEPS, **result})


if __name__ == "__main__":
    main()
