"""The curves of training runs, kept as numbers and drawn by orz-analysis, whose figure `reflection` this is.

python benchmarks/training_curves.py OUT.png RUN [RUN...]; the numbers go to results/OUT.json, by the folders' names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from analysis.curves.build import build_study
from analysis.curves.study import Group, Study
from analysis.figures.drawing import plot
from analysis.figures.registry import get_figure
from analysis.reading.load import load_runs

METRICS = ("reward/mean", "response/length_mean", "reflection/rate")


def numbers_of(studied: Study) -> dict[str, Any]:
    curves = {name: studied.steps[name].tolist() for name in ("step", *METRICS)}
    scores = {int(row.step): row.accuracy for row in studied.scores.itertuples()}
    return curves | {"arithmetic avg@16": scores}


def main(target: Path, folders: list[Path]) -> None:
    figure = get_figure("reflection")
    studies = [build_study(run, wanted=figure.metrics) for run in load_runs(folders)]
    # A group each: the text beside the picture speaks of single runs.
    groups = [Group(label=studied.run.name, studies=(studied,)) for studied in studies]
    plot(figure.make(groups)).savefig(target, dpi=150)
    kept = {studied.run.name: numbers_of(studied) for studied in studies}
    numbers = Path(__file__).parent / "results" / f"{target.stem}.json"
    numbers.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(0 if len(sys.argv) == 1 else __doc__)
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
