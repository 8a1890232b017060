"""Draw the curves of training runs: reward, response length and reflection rate over steps, one line a run.

python benchmarks/training_curves.py OUT.png RUN [RUN...]; writes the plotted numbers to results/OUT.json.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

PANELS = (
    ("reward/mean", "reward", "mean reward"),
    ("response/length_mean", "response length", "tokens"),
    ("reflection/rate", "reflection rate", "share of responses"),
)
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")  # Okabe and Ito: safe for the colour-blind


def rows_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def evaluations_of(run: Path) -> dict[int, float]:
    found = {}
    for path in run.glob("evals/arithmetic/step=*/*/summary.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        found[content["step"]] = content["avg_at_n"]
    return dict(sorted(found.items()))


def draw(target: Path, runs: list[Path]) -> None:
    figure, axes = plt.subplots(1, len(PANELS), figsize=(10.5, 3.2), constrained_layout=True)
    kept: dict[str, Any] = {}
    for run, colour in zip(runs, COLOURS, strict=False):
        rows = rows_of(run)
        steps = [row["step"] for row in rows]
        kept[run.name] = {name: [row[name] for row in rows] for name, *_ in PANELS}
        kept[run.name] |= {"step": steps, "arithmetic avg@16": evaluations_of(run)}
        for axis, (name, _, _) in zip(axes, PANELS, strict=True):
            axis.plot(steps, [row[name] for row in rows], color=colour, linewidth=1.6, label=run.name)
        evaluated = evaluations_of(run)
        axes[0].plot(list(evaluated), list(evaluated.values()), "o", color=colour, markersize=4)
    for axis, (_, title, unit) in zip(axes, PANELS, strict=True):
        axis.set(title=title, xlabel="step", ylabel=unit)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8, loc="lower right")
    figure.savefig(target, dpi=150)
    numbers = Path(__file__).parent / "results" / f"{target.stem}.json"
    numbers.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(0 if len(sys.argv) == 1 else __doc__)
    draw(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
