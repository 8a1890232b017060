"""SmolLM2-135M learns one-step word problems: GRPO and PPO with two seeds, TRL with the first seed's problems.

Every run is evaluated at its last step, as the base model is: held-out word problems (`word_problems`, avg@16), half of
them in forms that training never has, and `arithmetic_mixed` (avg@4), which nothing was trained on. Runs are compared
question by question, as `orz-bench compare` does. Each command has one core, so that two can run at once.

    python benchmarks/smollm2.py FOLDER RUN...    # train and evaluate these runs, such as grpo-42; they resume
    python benchmarks/smollm2.py FOLDER record    # the finished runs: results/smollm2.json and results/smollm2/

Memory: 7 GiB a run. The model: `orz-bench model fetch smollm2-135m --out FOLDER/model`. Checkpoints are not kept.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any

from _record import HERE, keep

from analysis import load, step_moments, token_layer
from orz_bench.records.run_dir import RunDir
from orz_bench.results.lookup import compare_runs, results_of

LAST = {"grpo-42": 40, "grpo-1": 40, "ppo-42": 40, "ppo-1": 40, "trl-42": 40}
"""Run -> its steps. A step of PPO, with its critic, takes over twice as long as one of GRPO, one of TRL four times."""
RUNS: dict[str, tuple[str, ...]] = {
    "grpo-42": ("seed=42",),
    "grpo-1": ("seed=1",),
    "ppo-42": ("seed=42", "eval.benchmarks=", "advantage.estimator=gae"),
    "ppo-1": ("seed=1", "eval.benchmarks=", "advantage.estimator=gae"),
    "trl-42": ("seed=42", "eval.benchmarks=", "--backend", "trl"),
}
TEMPERATURE = 0.7
SAMPLING = ("--temperature", str(TEMPERATURE), "--max-tokens", "64", "--stop", "Problem:", "--extractor", "boxed")
BENCHMARKS = {
    "word_problems": ("--template", "worked", "--n", "16"),
    "arithmetic_mixed": ("--template", "few-shot", "--n", "4"),
}
CURVES = (
    *("reward/mean", "response/length_mean", "response/clip_rate", "reflection/rate", "policy/entropy"),
    *("mismatch/kl", "policy/grad_norm"),
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", *arguments]


def timed(folder: Path, name: str, arguments: list[str]) -> None:
    """Run it on one thread; its CPU seconds, with those of interrupted runs before it, are added to NAME.cpu."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime - before.ru_utime) + (after.ru_stime - before.ru_stime)
    file = folder / f"{name}.cpu"
    file.write_text(str(cpu_seconds(folder, name) + spent))


def cpu_seconds(folder: Path, name: str) -> float:
    file = folder / f"{name}.cpu"
    return float(file.read_text()) if file.exists() else 0.0


def run(folder: Path, name: str) -> None:
    """Train as far as LAST says, unless it is the base model, and evaluate."""
    model = folder / "model"
    if name == "base":
        evaluate(model, "--out", str(folder / "base"))
        return
    if num_steps(folder / name) < LAST[name]:
        settings = (f"model.policy={model}", "cluster.in_process=true", f"num_steps={LAST[name]}", *RUNS[name])
        recipe = ("--recipe", "smollm2_cpu", "--out", str(folder / name))
        timed(folder, name, command("orz_rl.cli", "train", *recipe, *settings))
    evaluate(folder / name, "--step", str(LAST[name]))


def num_steps(run: Path) -> int:
    """Of a training that has ended; 0 before that."""
    return RunDir(run).metrics()[0][-1]["step"] if (run / "DONE").exists() else 0


def evaluate(checkpoint: Path, *options: str) -> None:
    for benchmark, own in BENCHMARKS.items():
        wanted = ("--ckpt", str(checkpoint), "--bench", benchmark, "--dtype", "float32", *SAMPLING, *own, *options)
        subprocess.run(command("orz_bench.cli", "eval", *wanted), check=True)


def scores(run: Path, step: int) -> dict[str, Any]:
    """By benchmark: avg@n, pass@n, maj@n, tokens; avg by level: known and new forms of word problems."""
    shown: dict[str, Any] = {}
    for one in results_of(run):
        if one.step != step or one.protocol["temperature"] != TEMPERATURE:
            continue
        summary = one.summary
        shown[one.benchmark] = {
            "n": summary.n,
            "avg": round(summary.avg_at_n, 4),
            "pass": round(summary.pass_at[str(summary.n)], 4),
            "maj": round(summary.maj_at_n, 4),
            "tokens": round(summary.mean_tokens, 1),
            "of_level": {name: round(part.value, 4) for name, part in summary.breakdown.get("level", {}).items()},
        }
    return shown


def last(folder: Path, name: str) -> str:
    """The address of a run's last step."""
    return f"{folder / name}@{LAST[name]}"


def paired(a: str, b: str, benchmark: str) -> dict[str, float]:
    """B minus A over questions."""
    (found,) = compare_runs(a, b, benchmarks=[benchmark], across_protocols=True)
    test = found.comparison
    shown = {name: round(getattr(test, name), 4) for name in ("difference", "low", "high")}
    return shown | {"p_value": float(f"{test.p_value:.2g}")}


def facts(folder: Path, name: str) -> dict[str, Any]:
    rows, _ = RunDir(folder / name).metrics()
    moments = step_moments(load(folder / name))
    return {
        "scores": scores(folder / name, LAST[name]),
        "ends": {
            metric: [round(fmean(row[metric] for row in part), 5) for part in (rows[:8], rows[-8:])]
            for metric in CURVES
            if metric in rows[0]
        },
        "step_moments": moments.to_json() | {"looked_at": moments.looked_at, "too_short": moments.too_short},
        "cpu_hours": round(cpu_seconds(folder, name) / 3600, 2),
    }


def boundary(folder: Path, name: str) -> dict[str, Any]:
    """pass@16 of base and run with Holm's p-value, and how many problems entered and left what is solved."""
    arguments = ("boundary", str(folder / "base"), last(folder, name), "--bench", "word_problems", "--json")
    done = subprocess.run(command("analysis.cli", *arguments), check=True, capture_output=True, text=True)
    (found,) = json.loads(done.stdout)["pairs"]
    support = found["support"]
    return {
        "k": found["n"],
        "base": round(found["pass_base"][-1]["value"], 4),
        "run": round(found["pass_run"][-1]["value"], 4),
        "p_holm": round(found["tests"][-1]["p_holm"], 3),
        "entered": len(support["entered"]),
        "left": len(support["left"]),
    }


def token_facts(run: Path) -> dict[str, Any]:
    """The share of the update that the fifth of the tokens with the highest entropy gets, in percent over steps."""
    found = token_layer(run)
    top = found.top_fifth
    return {
        "steps": len(found.steps),
        "value": round(top.value, 4),
        "low": round(top.low, 4),
        "high": round(top.high, 4),
    }


def weight_facts(folder: Path, name: str) -> dict[str, float]:
    """How far all weights moved; those of the base are bfloat16, those of the run float32."""
    arguments = ("weights", str(folder / "model"), last(folder, name), "--json")
    done = subprocess.run(command("analysis.cli", *arguments), check=True, capture_output=True, text=True)
    moved = json.loads(done.stdout)["all"]
    return {key: round(moved[key], 5) for key in ("beyond", "relative", "effective")}


def first_steps(folder: Path, name: str) -> dict[str, float]:
    """Means over the steps that TRL did, on the same problems, and CPU seconds a step."""
    rows, _ = RunDir(folder / name).metrics()
    means = {metric: fmean(row[metric] for row in rows[: LAST["trl-42"]]) for metric in CURVES if metric in rows[0]}
    return {key: round(value, 5) for key, value in means.items()} | {
        "cpu_s_a_step": round(cpu_seconds(folder, name) / LAST[name], 1)
    }


def same_responses(folder: Path) -> dict[str, int]:
    """How many responses of TRL's steps are those of the native backend, word for word."""
    columns = ["problem_id", "sample_index", "completion"]
    sides = [dict(RunDir(folder / name).sampled_steps()) for name in ("grpo-42", "trl-42")]
    pairs = [[side[step].read(columns).to_pylist() for side in sides] for step in range(1, LAST["trl-42"] + 1)]
    found = [({tuple(row.values()) for row in ours}, {tuple(row.values()) for row in theirs}) for ours, theirs in pairs]
    return {"of": sum(len(ours) for ours, _ in found), "equal": sum(len(ours & theirs) for ours, theirs in found)}


def record(folder: Path) -> None:
    done = [name for name in RUNS if (folder / name / "DONE").exists()]
    kept = HERE / "results" / "smollm2"
    kept.mkdir(parents=True, exist_ok=True)
    for name in done:
        rows, _ = RunDir(folder / name).metrics()
        rounded = [{key: float(f"{value:.5g}") for key, value in row.items()} for row in rows]
        (kept / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rounded), encoding="utf-8")
    base = str(folder / "base")
    keep(
        "smollm2",
        {
            "steps": {name: LAST[name] for name in done},
            "base": scores(folder / "base", 0),
            "runs": {name: facts(folder, name) for name in done},
            "minus_base": {name: {one: paired(base, last(folder, name), one) for one in BENCHMARKS} for name in done},
            "boundary": {name: boundary(folder, name) for name in done},
            "tokens": token_facts(folder / "grpo-42"),
            "weights": weight_facts(folder, "grpo-42"),
            "same_responses": same_responses(folder),
            "grpo and trl": {name: first_steps(folder, name) for name in ("grpo-42", "trl-42") if name in done},
        },
    )


def main(folder: Path, names: list[str]) -> None:
    if names == ["record"]:
        record(folder)
        return
    for name in names:
        run(folder, name)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(0)
    main(Path(sys.argv[1]), sys.argv[2:])
