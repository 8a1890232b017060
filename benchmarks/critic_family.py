"""ORZ's lambda = 1, VC-PPO and VAPO on `tiny`, in pairs: one seed, 40 steps of the policy, one evaluation.

python benchmarks/critic_family.py FOLDER [SEED...]: trains each seed three times in FOLDER (complete runs are not
trained again, stopped ones go on), then keeps what the seeds that are complete there say. Four minutes of CPU a run.
`--first` before the seeds trains VC-PPO only, up to the first step of its policy: what the critic explains there.
The rivals' critic learns alone for ten steps, not for the 50 and 100 of their variants: `tiny` has 40 steps, not 5,000.
Results: results/critic_family.json.
"""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from _record import keep

from orz_bench.records.run_dir import RunDir

STEPS, ALONE = 40, 10
SEEDS = (42, 1, 2, 3, 4)
ARMS: Mapping[str, Sequence[str]] = {
    "orz": (f"num_steps={STEPS}",),
    "vc_ppo": ("--variant", "vc_ppo", f"critic.warmup_steps={ALONE}", f"num_steps={STEPS + ALONE}"),
    "vapo": ("--variant", "vapo", f"critic.warmup_steps={ALONE}", f"num_steps={STEPS + ALONE}"),
}
_EXACT = ("cluster.in_process=true", "rollout.engine=transformers", "eval.every=1000", "checkpoint.every=10")
"""One process and the engine that is exact: a run repeats bit for bit."""
_T_95 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""Student's t at 97.5 %, by degrees of freedom."""


def main(folder: Path, seeds: Sequence[int], *, is_first: bool) -> None:
    for seed in seeds:
        for arm in ("vc_ppo",) if is_first else ("vc_ppo", "vapo", "orz"):
            last = [f"num_steps={ALONE + 1}"] if is_first else []
            train(folder / run_name(arm, seed), "--recipe", "tiny", *ARMS[arm], *_EXACT, f"seed={seed}", *last)
    started = sorted(int(path.name.partition("-")[2]) for path in folder.glob("vc_ppo-*"))
    complete = [seed for seed in started if all(is_complete(folder / run_name(arm, seed), arm) for arm in ARMS)]
    runs = {
        f"{arm}, seed {seed}": numbers_of(folder / run_name(arm, seed))
        for arm in ARMS
        for seed in started
        if is_complete(folder / run_name(arm, seed), arm)
    }
    warmed = {str(seed): first_step_of(folder / run_name("vc_ppo", seed)) for seed in started}
    keep("critic_family", record(runs, complete) | {"vc_ppo_at_the_first_step_of_its_policy": summary_of(warmed)})


def run_name(arm: str, seed: int) -> str:
    return f"{arm}-{seed}"


def train(out: Path, *options: str) -> None:
    command = [sys.executable, "-m", "orz_rl.cli", "train", "--out", str(out), *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def is_complete(path: Path, arm: str) -> bool:
    """Whether all steps of the policy are there, and the last evaluation."""
    wanted = STEPS if arm == "orz" else STEPS + ALONE
    return (path / "DONE").exists() and len(RunDir(path).metrics()[0]) == wanted


def first_step_of(path: Path) -> dict[str, Any]:
    """What the critic explains before it has learned, and at the first step of the policy."""
    rows, _ = RunDir(path).metrics()
    first = next((row for row in rows if "policy/loss" in row), None)
    if first is None:
        return {}
    return {
        "step": first["step"],
        "explained_variance": round(first["critic/explained_variance"], 4),
        "value_bias": [round(first[f"critic/value_bias_{part}"], 4) for part in range(1, 5)],
        "explained_variance_of_the_steps_alone": [round(row["critic/explained_variance"], 3) for row in rows[:ALONE]],
    }


def summary_of(warmed: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    known = {seed: each for seed, each in warmed.items() if each}
    explained = [each["explained_variance"] for each in known.values()]
    if not explained:
        return {}
    return {"seeds": len(known), "lowest": min(explained), "mean": round(fmean(explained), 4), "of_each_seed": known}


def numbers_of(path: Path) -> dict[str, Any]:
    """Of a run: held-out scores, and its curves over the steps in which the policy learned."""
    run = RunDir(path)
    rows, _ = run.metrics()
    learning = [row for row in rows if "policy/loss" in row]
    first = learning[0]
    scores = {result.step: result.summary for result in run.results()}
    last = scores[max(scores)]
    return {
        "held_out_avg_at_16_of_the_base": round(scores[0].avg_at_n, 4),
        "held_out_avg_at_16": round(last.avg_at_n, 4),
        "error_of_sampling": round(last.se_sampling or 0.0, 4),
        "mean_reward_of_all_steps": round(fmean(row["reward/mean"] for row in learning), 4),
        "length_of_last_5_steps": round(fmean(row["response/length_mean"] for row in learning[-5:]), 1),
        "reflection_of_last_5_steps": round(fmean(row["reflection/rate"] for row in learning[-5:]), 3),
        "explained_variance_at_first_policy_step": round(first["critic/explained_variance"], 4),
        "value_bias_at_first_policy_step": [round(first[f"critic/value_bias_{part}"], 3) for part in range(1, 5)],
        "rewards": [round(row["reward/mean"], 3) for row in learning],
        "explained_variances": [round(row.get("critic/explained_variance", math.nan), 3) for row in rows],
    }


def record(runs: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    def of(arm: str, name: str) -> list[float]:
        return [runs[f"{arm}, seed {seed}"][name] for seed in seeds]

    if not seeds:
        return {"seeds": [], "runs": dict(runs)}
    compared = (
        "held_out_avg_at_16",
        "mean_reward_of_all_steps",
        "length_of_last_5_steps",
        "reflection_of_last_5_steps",
    )
    shown = (*compared, "explained_variance_at_first_policy_step")
    return {
        "seeds": list(seeds),
        "policy_steps": STEPS,
        "steps_of_the_critic_alone": {arm: 0 if arm == "orz" else ALONE for arm in ARMS},
        "means": {arm: {name: round(fmean(of(arm, name)), 4) for name in shown} for arm in ARMS},
        "minus_orz": {
            arm: {name: paired(of(arm, name), of("orz", name)) for name in compared} for arm in ARMS if arm != "orz"
        },
        "lowest_explained_variance_at_first_policy_step": {
            arm: min(of(arm, "explained_variance_at_first_policy_step")) for arm in ARMS
        },
        "runs": dict(runs),
    }


def paired(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, Any]:
    """The mean difference over seeds, with Student's 95 % interval; without one for a single seed."""
    differences = [left - right for left, right in zip(ours, theirs, strict=True)]
    found: dict[str, Any] = {
        "difference": round(fmean(differences), 4),
        "of_each_seed": [round(d, 4) for d in differences],
    }
    if len(differences) > 1:
        half = _T_95[len(differences) - 1] * stdev(differences) / math.sqrt(len(differences))
        found |= {"low": round(fmean(differences) - half, 4), "high": round(fmean(differences) + half, 4)}
    return found


if __name__ == "__main__":
    if len(sys.argv) < 2:
        print("a tool: name a folder for the runs; without it, it does nothing")
        sys.exit(0)
    numbers = [int(word) for word in sys.argv[2:] if word != "--first"]
    main(Path(sys.argv[1]), numbers or SEEDS, is_first="--first" in sys.argv[2:])
