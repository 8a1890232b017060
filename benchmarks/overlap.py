"""Steps an hour and final score of sampling ahead against strictly on-policy steps: same recipe, placement, threads.

Every seed is one pair of runs, one after the other, in alternating order, each in a folder of --work: the same command
goes on where it was stopped, and finished runs are only read. On a CPU the engine has one bundle of one core, policy
and critic share the other, and every process has one thread. What counts is the ratio within a pair: the load of the
machine before and after each run is kept beside it, and the CPU seconds of each process a step.

    python benchmarks/overlap.py --name overlap_scores             # three seeds, 40 steps, avg@16 at the end
    python benchmarks/overlap.py --seeds 1 2 3 --steps 10 --no-evaluation            # times, on a quiet machine
    python benchmarks/overlap.py --seeds 1 2 3 --steps 10 --no-evaluation --second carried --name overlap_carried
    python benchmarks/overlap.py --recipe smollm2_cpu --steps 6 --seeds 42 --no-evaluation --name overlap_smollm2
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Self

from _record import keep

from orz_bench.records.run_dir import RunDir

FIRST = "on_policy"
SIDES = {
    FIRST: ("rollout.max_staleness=0",),
    "one_step_ahead": ("rollout.max_staleness=1",),
    "carried": ("rollout.max_staleness=1", "rollout.partial=true"),
}
WARM = 2
"""First steps that do not count: nothing is in the queue, and libraries warm up."""
SEPARATE = ("cluster.colocate=false", "cluster.colocate_models=true")


def command(arguments: argparse.Namespace, side: str, *, seed: int, out: Path) -> list[str]:
    """One run, as a user starts it."""
    evaluation = [f"eval.every={arguments.steps}"] if arguments.evaluation else ["eval.benchmarks="]
    settings = [*SEPARATE, *SIDES[side], f"seed={seed}", f"num_steps={arguments.steps}"]
    settings += [*evaluation, "logging.tensorboard=false", *arguments.override]
    return [sys.executable, "-m", "orz_rl.cli", "train", "--recipe", arguments.recipe, *settings, "--out", str(out)]


class Processes(threading.Thread):
    """Watches the CPU time of a run's processes, which does not depend on who else uses the machine."""

    def __init__(self, out: Path) -> None:
        super().__init__(daemon=True)
        self._out, self._ended = out, threading.Event()
        self._at: dict[int, dict[str, float]] = {}
        """Number of complete steps -> CPU seconds of each process when they were first seen."""

    def run(self) -> None:
        while not self._ended.wait(0.2):
            rows, _ = RunDir(self._out).metrics() if (self._out / "metrics.jsonl").exists() else ([], 0)
            if len(rows) not in self._at:
                self._at[len(rows)] = {log.stem: _cpu_seconds(log) for log in (self._out / "logs").glob("*.log")}

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def seconds_a_step(self) -> dict[str, float] | None:
        """Of each process, over the steps that count; None if a resumed run had too few."""
        seen = sorted(steps for steps in self._at if steps >= WARM and all(self._at[steps].values()))
        if len(seen) < 2:
            return None
        first, last = seen[0], seen[-1]
        spent = {name: self._at[last][name] - self._at[first].get(name, 0.0) for name in self._at[last]}
        return {name: round(seconds / (last - first), 3) for name, seconds in sorted(spent.items())}


def _cpu_seconds(log: Path) -> float:
    """Of the process that writes this log; 0 if it has ended."""
    numbers = re.findall(r"^process (\d+) on node", log.read_text("utf-8", errors="replace"), flags=re.MULTILINE)
    try:
        fields = Path(f"/proc/{numbers[-1]}/stat").read_text("utf-8").rpartition(")")[2].split()
    except (IndexError, OSError):
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(arguments: argparse.Namespace, side: str, *, seed: int) -> dict[str, Any]:
    """Run it, unless it is finished, and read its metrics."""
    out = arguments.work / f"{arguments.recipe}-{arguments.steps}" / f"{side}-{seed}"
    loads = out.with_suffix(".load.json")
    if not (out / "DONE").exists():
        before = os.getloadavg()[0]
        with Processes(out) as processes:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run(command(arguments, side, seed=seed, out=out), check=True, env=environment)
        facts = {"load_before_and_after": [round(before, 1), round(os.getloadavg()[0], 1)]}
        loads.write_text(json.dumps(facts | {"cpu_s_a_step": processes.seconds_a_step()}), "utf-8")
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
        **(json.loads(loads.read_text("utf-8")) if loads.exists() else {}),
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
    parser.add_argument("--second", choices=[name for name in SIDES if name != FIRST], default="one_step_ahead")
    parser.add_argument("--no-evaluation", dest="evaluation", action="store_false")
    parser.add_argument("--override", nargs="*", default=[], help="more settings, for both sides")
    parser.add_argument("--name", default="overlap", help="of the file in results/")
    return parser.parse_args()


def main() -> None:
    arguments = parsed()
    pairs: list[dict[str, Any]] = []
    sides = (FIRST, arguments.second)
    for number, seed in enumerate(arguments.seeds):
        order = sides[:: 1 if number % 2 == 0 else -1]
        found = {side: measured(arguments, side, seed=seed) for side in order}
        one, two = (found[side]["steps_an_hour"] for side in sides)
        median = [found[side]["seconds_a_step_median"] for side in sides]
        pairs.append(
            {
                "seed": seed,
                "times_as_many_steps_an_hour": round(two / one, 3),
                "by_medians": round(median[0] / median[1], 3),
            }
            | {side: found[side] for side in sides}
        )
        print(json.dumps(pairs[-1], indent=2), file=sys.stderr)
    result: dict[str, Any] = {
        "recipe": arguments.recipe,
        "steps": arguments.steps,
        "threads_a_process": 1,
        "times_as_many_steps_an_hour": statistics.median(pair["times_as_many_steps_an_hour"] for pair in pairs),
        "by_medians": statistics.median(pair["by_medians"] for pair in pairs),
    }
    for side in sides:
        scores = [pair[side]["avg_at_n"] for pair in pairs if "avg_at_n" in pair[side]]
        if scores:
            result[f"final_score_{side}"] = spread(scores)
    keep(arguments.name, result | {"pairs": pairs})


if __name__ == "__main__":
    main()
