"""Steps an hour and final score of sampling ahead against strictly on-policy steps: same recipe, placement, threads.

Every seed is one pair of runs, one after the other, in alternating order, each in a folder of --work: the same command
goes on where it was stopped, and finished runs are only read. On a CPU the engine has one bundle of one core, policy
and critic share the other, and every process has one thread. What counts is the ratio within a pair: the load of the
machine before and after each run is kept beside it.

    python benchmarks/overlap.py                                   # three seeds, 40 steps, avg@16 at the end
    python benchmarks/overlap.py --seeds 1 2 3 4 --steps 10 --no-evaluation          # times alone
    python benchmarks/overlap.py --recipe smollm2 --steps 6 --seeds 42 --no-evaluation
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from _record import keep

from orz_bench.records.run_dir import RunDir

SIDES = {"on_policy": 0, "one_step_ahead": 1}
WARM = 2
"""First steps that do not count: nothing is in the queue, and libraries warm up."""
SEPARATE = ("cluster.colocate=false", "cluster.colocate_models=true")


def command(arguments: argparse.Namespace, side: str, *, seed: int, out: Path) -> list[str]:
    """One run, as a user starts it."""
    evaluation = [f"eval.every={arguments.steps}"] if arguments.evaluation else ["eval.benchmarks="]
    settings = [*SEPARATE, f"rollout.max_staleness={SIDES[side]}", f"seed={seed}", f"num_steps={arguments.steps}"]
    settings += [*evaluation, "logging.tensorboard=false", *arguments.override]
    return [sys.executable, "-m", "orz_rl.cli", "train", "--recipe", arguments.recipe, *settings, "--out", str(out)]


def measured(arguments: argparse.Namespace, side: str, *, seed: int) -> dict[str, Any]:
    """Run it, unless it is finished, and read its metrics."""
    out = arguments.work / f"{arguments.recipe}-{arguments.steps}" / f"{side}-{seed}"
    loads = out.with_suffix(".load.json")
    if not (out / "DONE").exists():
        before = os.getloadavg()[0]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        subprocess.run(command(arguments, side, seed=seed, out=out), check=True, env=environment)
        loads.write_text(json.dumps([round(before, 1), round(os.getloadavg()[0], 1)]), "utf-8")
    rows, _ = RunDir(out).metrics()
    rows = [row for row in rows if row["step"] > WARM]
    seconds = [row["time/step"] + row["time/write"] for row in rows]
    phases = ("sample", "sample_ahead", "score", "update", "sync", "write")
    found: dict[str, Any] = {
        "steps_an_hour": round(3600 / statistics.fmean(seconds), 1),
        "seconds_a_step_mean": round(statistics.fmean(seconds), 3),
        "seconds_a_step_median": round(statistics.median(seconds), 3),
        "phases_median_s": {
            name: round(statistics.median(row[f"time/{name}"] for row in rows), 3)
            for name in phases
            if f"time/{name}" in rows[0]
        },
        "load_before_and_after": json.loads(loads.read_text("utf-8")) if loads.exists() else None,
        "staleness_mean": round(statistics.fmean(row.get("staleness/mean", 0.0) for row in rows), 3),
        "effective_sample_size_min": min(row["mismatch/effective_sample_size"] for row in rows),
        "last_rewards": [round(row["reward/mean"], 3) for row in rows[-5:]],
    }
    results = [result for result in RunDir(out).results() if result.step == arguments.steps]
    if results:
        summary = results[0].summary
        found["avg_at_n"], found["n"] = round(summary.avg_at_n, 4), summary.n
        found["se_sampling"] = summary.se_sampling
    return found


def spread(values: list[float]) -> dict[str, float | None]:
    """Mean, and the deviation over runs."""
    return {
        "mean": round(statistics.fmean(values), 4),
        "std_over_seeds": round(statistics.stdev(values), 4) if len(values) > 1 else None,
    }


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    parser.add_argument("--work", type=Path, default=Path("runs/overlap"))
    parser.add_argument("--no-evaluation", dest="evaluation", action="store_false")
    parser.add_argument("--override", nargs="*", default=[], help="more settings, for both sides")
    parser.add_argument("--name", default="overlap", help="of the file in results/")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    pairs: list[dict[str, Any]] = []
    for number, seed in enumerate(arguments.seeds):
        order = list(SIDES)[:: 1 if number % 2 == 0 else -1]
        found = {side: measured(arguments, side, seed=seed) for side in order}
        one, two = (found[side]["steps_an_hour"] for side in SIDES)
        median = [found[side]["seconds_a_step_median"] for side in SIDES]
        pairs.append(
            {
                "seed": seed,
                "times_as_many_steps_an_hour": round(two / one, 3),
                "by_medians": round(median[0] / median[1], 3),
            }
            | {side: found[side] for side in SIDES}
        )
        print(json.dumps(pairs[-1], indent=2), file=sys.stderr)
    result: dict[str, Any] = {
        "recipe": arguments.recipe,
        "steps": arguments.steps,
        "threads_a_process": 1,
        "times_as_many_steps_an_hour": statistics.median(pair["times_as_many_steps_an_hour"] for pair in pairs),
        "by_medians": statistics.median(pair["by_medians"] for pair in pairs),
    }
    for side in SIDES:
        scores = [pair[side]["avg_at_n"] for pair in pairs if "avg_at_n" in pair[side]]
        if scores:
            result[f"final_score_{side}"] = spread(scores)
    keep(arguments.name, result | {"pairs": pairs})


if __name__ == "__main__":
    main()
