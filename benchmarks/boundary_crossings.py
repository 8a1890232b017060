"""How often `orz-analysis boundary` holds a known crossing of pass@k, and reports one where there is none.

Pairs of models are drawn from kinds of questions with known success rates (tests/support/model_pairs.py).

    python benchmarks/boundary_crossings.py [--pairs 200]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from _record import keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from analysis.boundary.crossing import Crossing
from tests.support.model_pairs import CROSSING, NOT_CROSSING, drawn_crossing, true_crossing

SIZES = ((30, 64), (100, 64), (500, 16), (100, 256))


def row(found: Sequence[Crossing], truth: float | None) -> dict[str, Any]:
    reported = [one for one in found if one.outcome == "crossing"]
    result: dict[str, Any] = {"reported": round(len(reported) / len(found), 3)}
    if truth is None:
        return result
    result["holds"] = round(float(np.mean([one.holds(truth) for one in found])), 3)
    if reported:
        result["holds, of those reported"] = round(float(np.mean([one.holds(truth) for one in reported])), 3)
        result["median high / low"] = round(float(np.median([one.high / one.low for one in reported])), 2)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pairs", type=int, default=200)
    pairs = parser.parse_args().pairs
    rng = np.random.default_rng(0)
    table: dict[str, list[dict[str, Any]]] = {"crossing": [], "not crossing": []}
    models = {**CROSSING, **NOT_CROSSING}
    for (name, kinds), (questions, n) in product(models.items(), SIZES):
        truth, which = true_crossing(kinds, n=n), "crossing" if name in CROSSING else "not crossing"
        if (truth is None) == (which == "crossing"):
            continue
        found = [drawn_crossing(kinds, num_questions=questions, n=n, rng=rng) for _ in range(pairs)]
        shape = {"pair": name, "questions": questions, "n": n, "crossing at": truth and round(truth, 2)}
        table[which].append(shape | row(found, truth))
    lowest = min(one["holds"] for one in table["crossing"])
    highest = max(one["reported"] for one in table["not crossing"])
    keep("boundary_crossings", {"pairs": pairs, "lowest holds": lowest, "highest wrongly reported": highest} | table)


if __name__ == "__main__":
    main()
