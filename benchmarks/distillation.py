"""What distillation of the trained `tiny` into its base costs and gives, beside PPO from that base.

teacher      the recipe tiny, 40 steps; its evaluations at every fifth step are PPO's curve
on-policy    its base learns its probabilities of 16 tokens at every place, three seeds; how soon it is within the
             teacher's interval
sampled      the same from the sampled tokens alone, one seed
supervised   its base learns N right answers of the teacher's second half, N = 64 to all, by the same number of updates
after        ten steps of PPO from the student of all answers

All runs are in one process, so that cpu/step is all CPU time of sampling, scoring, updates and weights; evaluations and
starts are left out. The CPU time of the teacher is what PPO costs, not part of what distillation costs.

    python benchmarks/distillation.py FOLDER          # half an hour of CPU time; runs resume, finished ones are kept
    python benchmarks/distillation.py FOLDER RUN...   # only these runs, in this order; nothing is recorded
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _record import HERE, keep

from orz_bench.extraction.responses import TextFacts
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.results.lookup import compare_runs

ALONE = ("cluster.in_process=true", "rollout.engine=transformers", "logging.tensorboard=false")
SIZES = (64, 256, None)
SEEDS = (1, 2, 3)
TEACHER, STUDENT = "teacher", "supervised-all"
LAST, STUDENT_STEPS = 40, 60
TEACHER_POLICY = f"{TEACHER}/checkpoints/step={LAST:06d}/policy"
ON_POLICY = (
    *("num_steps=24", "eval.every=6", "checkpoint.every=24"),
    *("rollout.num_problems=64", "rollout.num_samples=2", "optim.policy_updates=2"),
    *("optim.policy_lr=1e-3", "optim.final_lr=5e-5", "optim.policy_warmup_updates=4"),
)
TEACHER_TOKENS = ("--teacher-tokens", "16")
SUPERVISED = ("eval.every=60", "checkpoint.every=60")
"""Steps and rate are the recipe's."""


def runs() -> dict[str, tuple[str, ...]]:
    """Name -> arguments of orz-rl; on-policy first, for it decides most."""
    found: dict[str, tuple[str, ...]] = {
        TEACHER: ("train", "--recipe", "tiny", "eval.every=5", "checkpoint.keep_last=9")
    }
    for seed in SEEDS:
        distil = ("distill", "--on-policy", "--teacher", TEACHER_POLICY, "--student", "tiny", f"seed={seed}")
        found[f"on-policy-{seed}"] = (*distil, *TEACHER_TOKENS, *ON_POLICY)
    found["sampled-1"] = (*found["on-policy-1"][: -len(TEACHER_TOKENS) - len(ON_POLICY)], *ON_POLICY)
    for size in SIZES:
        limit = () if size is None else ("--limit", str(size))
        source = ("distill", "--from", TEACHER, "--student", "tiny", "--from-step", "21")
        found[f"supervised-{size or 'all'}"] = (*source, *limit, *SUPERVISED)
    student = f"{STUDENT}/checkpoints/step={STUDENT_STEPS:06d}/policy"
    found["after"] = ("train", "--recipe", "tiny", f"model.policy={student}", "num_steps=10", "eval.every=5")
    return found


def run(folder: Path, name: str, arguments: tuple[str, ...]) -> None:
    if (folder / name / "DONE").exists():
        return
    command = [sys.executable, "-m", "orz_rl.cli", *arguments, "--out", name, *ALONE]
    subprocess.run(command, cwd=folder, check=True)


def curve(folder: Path, name: str) -> list[dict[str, Any]]:
    """Every evaluation of a run, with the CPU time of its training until then."""
    found = RunDir(folder / name)
    rows, _ = found.metrics()
    points = []
    for evaluation in sorted(found.evaluations(), key=lambda each: each.step):
        spent = sum(row["cpu/step"] for row in rows if row["step"] <= evaluation.step)
        points.append({"step": evaluation.step, "cpu_s": round(spent, 1)} | scores(evaluation))
    return points


def scores(evaluation: EvaluationDir) -> dict[str, Any]:
    result = evaluation.result()
    assert result is not None
    summary = result.summary
    texts = evaluation.read(["completion"])["completion"].to_pylist()
    interval, sampling = summary.question, summary.sampling
    assert interval is not None
    assert sampling is not None
    assert summary.mean_tokens is not None
    return {
        "avg_at_16": round(summary.avg_at_n, 4),
        "low": round(interval.low, 4),
        "high": round(interval.high, 4),
        "sampling_low": round(sampling.low, 4),
        "sampling_high": round(sampling.high, 4),
        "mean_tokens": round(summary.mean_tokens, 1),
        "reflection_rate": round(sum(TextFacts.of(text).num_reflections > 0 for text in texts) / len(texts), 4),
    }


def paired(folder: Path, a: str, b: str) -> dict[str, Any]:
    """B minus A, question by question, as `orz-bench compare` tests it; only the seeds of the runs may differ."""
    (found,) = compare_runs(f"{folder}/{a}", f"{folder}/{b}", benchmarks=None, across_protocols=True)
    test = found.comparison
    shown = {name: round(getattr(test, name), 4) for name in ("difference", "low", "high")}
    shown["p_value"] = float(f"{test.p_value:.2g}")
    return {"a": a, "b": b, "differing": list(found.differing)} | shown


def at_equal_time(points: list[dict[str, Any]], cpu_s: float) -> dict[str, Any]:
    """The first evaluation of a curve with at least this CPU time, or its last: PPO never gets less."""
    return next((point for point in points if point["cpu_s"] >= cpu_s), points[-1])


def compared(folder: Path, curves: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ppo = curves[TEACHER]
    teacher = ppo[-1]
    whole = {name: curves[name][-1] for name in curves}
    before = whole[STUDENT]["cpu_s"]
    equal = {
        name: at_equal_time(ppo, last["cpu_s"] + (before if name == "after" else 0.0))
        for name, last in whole.items()
        if name != TEACHER
    }
    within = {
        name: next((point for point in curves[name] if point["avg_at_16"] >= teacher["low"]), None)
        for name in curves
        if name.startswith("on-policy")
    }
    return {
        "teacher": teacher,
        "minus_ppo_at_equal_cpu_time": {
            name: {"ppo_cpu_s": point["cpu_s"]}
            | paired(folder, f"{TEACHER}@{point['step']}", f"{name}@{_last(whole, name)}")
            for name, point in equal.items()
        },
        "ppo_cpu_s_for_the_same_score": {
            name: next((point["cpu_s"] for point in ppo if point["avg_at_16"] >= last["avg_at_16"]), None)
            for name, last in whole.items()
            if name != TEACHER
        },
        "minus_teacher": {
            name: paired(folder, f"{TEACHER}@{LAST}", f"{name}@{_last(whole, name)}")
            for name in whole
            if name != TEACHER
        },
        "on_policy_within_the_teachers_interval": {
            name: None if point is None else point | {"share_of_ppo_cpu": round(point["cpu_s"] / teacher["cpu_s"], 3)}
            for name, point in within.items()
        },
    }


def _last(whole: dict[str, dict[str, Any]], name: str) -> int:
    step: int = whole[name]["step"]
    return step


def draw(curves: dict[str, list[dict[str, Any]]], target: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    teacher = curves[TEACHER][-1]
    left.axhspan(100 * teacher["low"], 100 * teacher["high"], color="0.9", label="teacher, 95 % interval")
    before = curves[STUDENT][-1]["cpu_s"]
    styles = {
        TEACHER: ("k-o", "PPO from the base"),
        "after": ("C2--s", "PPO after all answers"),
        "sampled-1": ("C4:v", "on-policy, sampled tokens alone"),
    }
    for name, points in curves.items():
        if name.startswith("supervised"):
            continue
        style, label = styles.get(name, ("C0-^", "on-policy, three seeds" if name.endswith("-1") else None))
        offset = before if name == "after" else 0.0
        left.plot(
            [p["cpu_s"] + offset for p in points], [100 * p["avg_at_16"] for p in points], style, label=label, ms=4
        )
    sizes = [name for name in curves if name.startswith("supervised")]
    last = [curves[name][-1] for name in sizes]
    left.plot([p["cpu_s"] for p in last], [100 * p["avg_at_16"] for p in last], "C1D", label="supervised", ms=5)
    left.set(xlabel="CPU seconds of training", ylabel="avg@16 on held-out sums, %")
    left.legend(loc="lower right", fontsize=8)
    places = range(len(sizes))
    middle = [100 * p["avg_at_16"] for p in last]
    errors = [[m - 100 * p["low"] for m, p in zip(middle, last, strict=True)]]
    errors.append([100 * p["high"] - m for m, p in zip(middle, last, strict=True)])
    right.axhspan(100 * teacher["low"], 100 * teacher["high"], color="0.9")
    right.axhline(100 * curves[TEACHER][0]["avg_at_16"], color="0.5", ls=":", label="base")
    right.errorbar(places, middle, yerr=errors, fmt="C1D", capsize=3, label="supervised, 95 % interval")
    right.set_xticks(list(places), [name.removeprefix("supervised-") for name in sizes])
    right.set(xlabel="answers", ylabel="avg@16 on held-out sums, %")
    right.legend(loc="lower right", fontsize=8)
    figure.savefig(target, dpi=120)


def main(folder: Path, names: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or runs():
        run(folder, name, runs()[name])
    if names:
        return
    curves = {name: curve(folder, name) for name in runs()}
    cards = {
        name: json.loads((folder / name / "distillation" / "card.json").read_text(encoding="utf-8"))["counts"]
        for name in curves
        if name.startswith("supervised")
    }
    keep("distillation", {"runs": curves, "answers": cards} | compared(folder, curves))
    draw(curves, HERE.parent / "docs" / "tiny_distillation.png")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(0)
    main(Path(sys.argv[1]), sys.argv[2:])
