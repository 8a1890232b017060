"""What `orz-rl compare-backends` found, kept as numbers: CPU seconds, curves, evaluations with their paired test.

python benchmarks/backends.py OUT [OUT...]: folders of the command, one a seed; without arguments it does nothing.
Wall times are left out: the machine was shared.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from _record import keep

CURVES = ("reward/mean", "response/length_mean", "reflection/rate")


def facts_of(folder: Path) -> dict[str, Any]:
    found = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    evaluations = [item for items in found["evaluations"].values() for item in items]
    for item in evaluations:
        for side in (item["a"], item["b"]):
            del side["run"]
    for facts in found["backends"].values():
        for name in ("wall_s", "seconds_a_step", "version"):
            facts.pop(name, None)
        for usage in facts["usage"]:
            del usage["wall_s"]
    return found | {"steps": curves_of(folder / "curves.csv")}


def curves_of(path: Path) -> dict[str, dict[str, list[float]]]:
    """By backend and metric, one value a step."""
    curves: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name in CURVES:
                curves[row["backend"]][name].append(round(float(row[name]), 4))
    return curves


if __name__ == "__main__":
    if len(sys.argv) > 1:
        keep("backends", {"comparisons": {Path(name).name: facts_of(Path(name)) for name in sys.argv[1:]}})
