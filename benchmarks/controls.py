"""Does `tiny` learn from its verdicts: with random rewards, and with a tenth of them inverted, beside the plain run.

Every control has the seed of a plain run, so it begins with the same samples of the same problems. Each run is compared
with its own base, and each control with its plain run, question by question as `orz-bench compare` does; the mean over
seeds has the 95 % interval of Student's t.

    python benchmarks/controls.py FOLDER           # three minutes of CPU time a run; runs resume, finished ones stay
    python benchmarks/controls.py FOLDER RUN...    # only these runs, such as plain-1 random-1; nothing is recorded
    python benchmarks/controls.py FOLDER record    # the seeds of which every run is finished
"""

from __future__ import annotations

import subprocess
import sys
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from _record import keep
from scipy.stats import t

from orz_bench.records.run_dir import RunDir
from orz_bench.results.lookup import compare_runs

SEEDS = (1, 2, 3, 4, 5)
CONTROLS = {"plain": "none", "random": "random", "flip": "flip:0.1"}
LAST = 40
SETTINGS = (
    *("cluster.in_process=true", "rollout.engine=transformers", "logging.tensorboard=false"),
    *(f"num_steps={LAST}", f"eval.every={LAST}", f"checkpoint.every={LAST}"),
)


def runs() -> dict[str, tuple[str, ...]]:
    """Name -> settings; a seed's runs stand together, so that an interrupted series has whole pairs."""
    return {
        f"{name}-{seed}": (f"seed={seed}", f"reward.control={control}", *SETTINGS)
        for seed in SEEDS
        for name, control in CONTROLS.items()
    }


def run(folder: Path, name: str) -> None:
    if not (folder / name / "DONE").exists():
        command = [sys.executable, "-m", "orz_rl.cli", "train", "--recipe", "tiny", *runs()[name], "--out", name]
        subprocess.run(command, cwd=folder, check=True)


def scores(folder: Path, name: str) -> dict[str, Any]:
    """avg@16 and the mean length on held-out sums, before and after; means of the first and last four steps."""
    found = RunDir(folder / name)
    by_step = {each.step: each.result() for each in found.evaluations()}
    rows, _ = found.metrics()
    shown: dict[str, Any] = {}
    for when, step in (("base", 0), ("last", LAST)):
        result = by_step[step]
        assert result is not None
        assert result.summary.mean_tokens is not None
        shown[when] = {"avg_at_16": round(result.summary.avg_at_n, 4), "tokens": round(result.summary.mean_tokens, 1)}
    for metric in ("reward/mean", "accuracy/mean", "reflection/rate", "response/clip_rate"):
        ends = [fmean(row[metric] for row in part) for part in (rows[:4], rows[-4:])]
        shown[metric] = [round(value, 4) for value in ends]
    return shown | {"minus_base": paired(folder, f"{name}@0", f"{name}@{LAST}")}


def paired(folder: Path, a: str, b: str) -> dict[str, float]:
    """B minus A over questions; protocols of two seeds differ in nothing but the seed."""
    (found,) = compare_runs(f"{folder}/{a}", f"{folder}/{b}", benchmarks=None, across_protocols=True)
    test = found.comparison
    shown = {name: round(getattr(test, name), 4) for name in ("difference", "low", "high")}
    return shown | {"p_value": float(f"{test.p_value:.2g}")}


def over_seeds(differences: list[float]) -> dict[str, float]:
    """The mean difference, its ends, and from two seeds on its 95 % interval over seeds."""
    mean, count = fmean(differences), len(differences)
    shown = {"mean": mean, "least": min(differences), "most": max(differences)}
    if count > 1:
        half = float(t.ppf(0.975, count - 1)) * stdev(differences) / sqrt(count)
        shown |= {"low": mean - half, "high": mean + half}
    return {name: round(value, 4) for name, value in shown.items()}


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    is_recorded = names in ([], ["record"])
    for name in runs() if not names else [] if is_recorded else names:
        run(folder, name)
    if is_recorded:
        whole = [seed for seed in SEEDS if all((folder / f"{name}-{seed}" / "DONE").exists() for name in CONTROLS)]
        record(folder, whole)


def record(folder: Path, seeds: list[int]) -> None:
    found = {f"{name}-{seed}": scores(folder, f"{name}-{seed}") for seed in seeds for name in CONTROLS}
    minus_plain = {
        f"{name}-{seed}": paired(folder, f"plain-{seed}@{LAST}", f"{name}-{seed}@{LAST}")
        for seed in seeds
        for name in CONTROLS
        if name != "plain"
    }
    of = {name: [f"{name}-{seed}" for seed in seeds] for name in CONTROLS}
    keep(
        "controls",
        {
            "steps": LAST,
            "seeds": len(seeds),
            "runs": found,
            "minus_plain": minus_plain,
            "base": round(fmean(found[name]["base"]["avg_at_16"] for name in of["plain"]), 4),
            "last": {
                control: round(fmean(found[name]["last"]["avg_at_16"] for name in names), 4)
                for control, names in of.items()
            },
            "below_base": round(-found["random-1"]["minus_base"]["difference"], 4),
            "minus_base_over_seeds": {
                control: over_seeds([found[name]["minus_base"]["difference"] for name in names])
                for control, names in of.items()
            },
            "minus_plain_over_seeds": {
                control: over_seeds([minus_plain[name]["difference"] for name in names])
                for control, names in of.items()
                if control != "plain"
            },
        },
    )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(0)
    main(Path(sys.argv[1]), sys.argv[2:])
