"""Whether carrying samples over updates prefers short answers: mean length of what is learned against what is drawn.

The simulation of tests/support/carrying.py, over seeds and many steps: a run's windowed FIFO (window of a quarter of a
step), and the rule that takes what ends first and drops what has become too old.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from _record import keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.carrying import Lengths, learned_lengths

SEEDS, STEPS, MEAN = range(10), 1000, 100


def main() -> None:
    result = {}
    for rule in ("window", "first_finished"):
        found = [learned_lengths(Lengths(mean=MEAN, seed=seed), rule=rule, steps=STEPS) for seed in SEEDS]
        ratios = [each.mean / each.drawn_mean for each in found]
        result[rule] = {
            "learned_over_drawn_mean_length": round(statistics.fmean(ratios), 4),
            "standard_error_over_seeds": round(statistics.stdev(ratios) / len(ratios) ** 0.5, 4),
            "least_and_most": [round(min(ratios), 4), round(max(ratios), 4)],
            "dropped_groups_share": round(statistics.fmean(each.num_dropped for each in found) / (STEPS * 8), 4),
            "mean_age_updates": round(statistics.fmean(each.mean_age for each in found), 3),
        }
    keep("partial_lengths", {"seeds": len(SEEDS), "steps": STEPS, "rules": result})


if __name__ == "__main__":
    main()
