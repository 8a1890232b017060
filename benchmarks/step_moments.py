"""How often step moments are found, and how often where there is none, on synthetic curves, beside two usual methods.

Every curve has one of six trends, one of seven noises and one of four lengths (_synthetic_curves.py). A break counts as
found where one of the same kind or other is reported within ±10 steps of it (changes of slope: ±5 % of the run); a
report that is near no break of the curve is a false one. The peers, both on the same curves:

- PELT with an l2 cost (Killick et al. 2012, ruptures), penalty 3 log n times the noise variance;
- plain segmented regression: straight lines (bottom-up search, ruptures), their number by BIC.

Headlines are of curves of 700 steps and more whose noise does not wander; the tables by length and noise show the rest.

    python benchmarks/step_moments.py [--curves 24] [--processes 2]
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pool
from typing import Any

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

import numpy as np  # noqa: E402 - after the number of threads is set
import pandas as pd  # noqa: E402
import ruptures  # noqa: E402
from _record import keep  # noqa: E402
from _synthetic_curves import NOISES, SCENARIOS, SyntheticCurve, a_curve  # noqa: E402

from analysis.step_moment.find import find_breaks  # noqa: E402

NEAR = 10
NEAR_SLOPE = 0.05
"""Of the run."""
WANDERING = ("AR(1) 0.9", "AR(1) 0.9 + white")
"""Noises that wander as far as a break of 2 sd within ten steps; reported apart."""
SHORT = 700
"""Steps below which a curve is reported apart: published runs have more."""


def ours(curve: SyntheticCurve) -> list[float]:
    return [found.step for found in find_breaks(curve.steps, curve.values)]


def pelt_l2(curve: SyntheticCurve) -> list[float]:
    variance = (np.median(np.abs(np.diff(curve.values, 2))) / 0.6745) ** 2 / 6
    penalty = 3 * np.log(len(curve.values)) * variance
    return [
        float(at) for at in ruptures.KernelCPD(kernel="linear", min_size=10).fit(curve.values).predict(pen=penalty)[:-1]
    ]


def segmented_regression(curve: SyntheticCurve) -> list[float]:
    n = len(curve.values)
    design = np.column_stack([curve.values, curve.steps, np.ones(n)])
    search = ruptures.BottomUp(model="linear", min_size=10, jump=1).fit(design)
    found = []
    for count in range(21):
        places = search.predict(n_bkps=count) if count else [n]
        criterion = n * np.log(search.cost.sum_of_costs(places) / n) + 3 * count * np.log(n)
        found.append((criterion, places[:-1]))
    return [float(at) for at in min(found)[1]]


METHODS: dict[str, Callable[[SyntheticCurve], list[float]]] = {
    "orz": ours,
    "PELT, l2": pelt_l2,
    "segmented regression, BIC": segmented_regression,
}


def judge(job: tuple[str, str, int]) -> list[dict[str, Any]]:
    """One row a method."""
    scenario, noise, number = job
    curve = a_curve(scenario, noise, number=number)
    near_slope = NEAR_SLOPE * len(curve.steps)
    rows = []
    for method, find in METHODS.items():
        started = time.process_time()
        steps = find(curve)
        seconds = time.process_time() - started
        levels = [any(abs(step - at) <= NEAR for step in steps) for at in curve.levels]
        slopes = [any(abs(step - at) <= near_slope for step in steps) for at in curve.slopes]
        is_false = [
            all(abs(step - at) > NEAR for at in curve.levels)
            and all(abs(step - at) > near_slope for at in curve.slopes)
            for step in steps
        ]
        rows.append(
            {
                "method": method,
                "scenario": scenario,
                "noise": noise,
                "trend": curve.trend,
                "length": len(curve.steps),
                "any": bool(steps),
                "found": float(np.mean(levels + slopes)) if levels + slopes else np.nan,
                "false": sum(is_false),
                "cpu_s": seconds,
            }
        )
    return rows


def _jobs(curves: int) -> Iterator[tuple[str, str, int]]:
    for scenario in SCENARIOS:
        for noise in NOISES:
            yield from ((scenario, noise, number) for number in range(curves * (2 if scenario == "no break" else 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--curves", type=int, default=24, help="a scenario and noise; twice as many without a break")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with Pool(arguments.processes) as pool:
        rows = [
            row for judged in pool.imap_unordered(judge, list(_jobs(arguments.curves)), chunksize=4) for row in judged
        ]
    table = pd.DataFrame(rows)
    keep("step_moments", {"curves": len(table) // len(METHODS), "table": _summary(table)})


def _summary(table: pd.DataFrame) -> dict[str, Any]:
    is_long, is_steady = table["length"] >= SHORT, ~table["noise"].isin(WANDERING)
    steady = table[is_long & is_steady]
    return {
        "false alarms (curves without a break)": _share(steady[steady["scenario"] == "no break"], "any"),
        "found, by scenario": {
            scenario: _share(rows, "found") for scenario, rows in steady.groupby("scenario") if scenario != "no break"
        },
        "false breaks a curve, by scenario": {s: _share(rows, "false") for s, rows in steady.groupby("scenario")},
        "by noise": _both(table[is_long], "noise"),
        "by length": _both(table[is_steady], "length"),
        "by trend": _both(steady, "trend"),
        "cpu_s a curve": _share(table, "cpu_s"),
    }


def _both(table: pd.DataFrame, column: str) -> dict[str, Any]:
    return {
        str(value): {
            "false alarms": _share(rows[rows["scenario"] == "no break"], "any"),
            "level, 2 sd": _share(rows[rows["scenario"] == "level, 2 sd"], "found"),
        }
        for value, rows in table.groupby(column)
    }


def _share(rows: pd.DataFrame, column: str) -> dict[str, float]:
    return {method: round(float(of[column].mean()), 3) for method, of in rows.groupby("method", sort=False)}


if __name__ == "__main__":
    main()
