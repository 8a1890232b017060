"""Do forced thoughts, and a critic that chooses while the response is written, beat plain samples at equal tokens?

The tiny model after 20 steps of training with its critic, 100 questions of `arithmetic`, 32 plain samples each.

forced     the end of the thought replaced by "Wait" once, twice; thoughts ended at a number of tokens
searched   `--select prune` and `beam`; against one plain sample, and against the majority and the best final value of
           as many plain samples as have the same tokens, question by question

    python benchmarks/test_time_steered.py [--folder DIR]    # minutes; finished parts in DIR are used again
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from _record import keep

from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.results.comparison import compare_values, holm
from orz_bench.results.scaling.curves import Scaling, Setting, scaling_of
from orz_bench.results.scaling.stored import stored_evaluations

STEPS, PLAIN, EACH = 20, 32, 4
FORCED = (("--waits", "1"), ("--waits", "2"), ("--thought-tokens", "10"), ("--thought-tokens", "20"))
SEARCHED = (("prune", 4, 400), ("prune", 8, 800), ("beam", 4, 400), ("beam", 8, 800))
"""Method, width, budget."""


def run(program: str, *arguments: str | Path | int) -> None:
    subprocess.run(
        [sys.executable, "-m", f"{program}.cli", *map(str, arguments)], check=True, stdout=subprocess.DEVNULL
    )


def accuracy_of(evaluation: EvaluationDir) -> dict[str, float]:
    found: dict[str, list[bool]] = defaultdict(list)
    for row in evaluation.read(["problem_id", "verdict"]).to_pylist():
        found[row["problem_id"]].append(row["verdict"] == "correct")
    return {name: sum(right) / len(right) for name, right in found.items()}


def compared(plain: dict[str, float], other: dict[str, float]) -> dict[str, Any]:
    found = asdict(compare_values(plain, other, samples_each=EACH))
    names = ("average_a", "average_b", "difference", "low", "high")
    return {name: round(found[name], 4) for name in names} | {"p_value": found["p_value"]}


def with_holm(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    """The p-values adjusted for all comparisons that are made together."""
    cells = [row[name] for row in rows for name in names]
    for cell, p in zip(cells, holm([cell["p_value"] for cell in cells]), strict=True):
        cell["p_holm"] = p
    return rows


def at_length(scaling: Scaling, rule: str, length: float) -> dict[str, float]:
    return scaling.at(Setting(rule, length=length))[0]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("runs/test-time-steered"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    trained = folder / "tiny"
    run("orz_rl", "train", "--recipe", "tiny", "--out", trained, f"num_steps={STEPS}")
    critic = trained / "checkpoints" / f"step={STEPS:06d}" / "critic"
    asked = ("--ckpt", trained, "--step", STEPS, "--bench", "arithmetic")
    run("orz_bench", "eval", *asked, "--n", PLAIN, "--keep-tokens", "--out", folder / "plain")
    run("orz_bench", "value", folder / "plain", "--critic", critic)
    (stored,) = stored_evaluations(folder / "plain")
    scaling = scaling_of(stored.questions, rules=("majority", "best-final"))
    one = at_length(scaling, "majority", min(point.length for point in scaling.points))
    result = {
        "plain": {
            "questions": len(scaling.questions),
            "n": PLAIN,
            "points": [asdict(point) for point in scaling.points],
        },
        "forced": with_holm([forced(folder, asked, options, plain=one) for options in FORCED], "minus_plain"),
        "searched": with_holm(
            [searched(folder, (*asked, "--critic", critic), each, scaling=scaling, plain=one) for each in SEARCHED],
            "minus_plain", "minus_majority_at_equal_tokens", "minus_best_final_at_equal_tokens",
        ),
    }  # fmt: skip
    keep("test_time_steered", result)


def forced(
    folder: Path, asked: tuple[Any, ...], options: tuple[str, ...], *, plain: dict[str, float]
) -> dict[str, Any]:
    out = folder / "-".join(part.lstrip("-") for part in options)
    run("orz_bench", "eval", *asked, "--n", EACH, *options, "--out", out)
    (evaluation,) = RunDir(out).evaluations()
    rows = evaluation.read(["num_tokens", "extra"]).to_pylist()
    facts = [json.loads(row["extra"])["forcing"] for row in rows]
    return {
        "options": " ".join(options),
        "tokens": round(sum(row["num_tokens"] for row in rows) / len(rows), 1),
        "waits": round(sum(one["waits"] for one in facts) / len(facts), 3),
        "closed": round(sum(one["closed"] for one in facts) / len(facts), 3),
        "minus_plain": compared(plain, accuracy_of(evaluation)),
    }


def searched(
    folder: Path, asked: tuple[Any, ...], each: tuple[str, int, int], *, scaling: Scaling, plain: dict[str, float]
) -> dict[str, Any]:
    method, width, budget = each
    out = folder / f"{method}-{width}-{budget}"
    run(
        "orz_bench", "eval", *asked, "--n", EACH, "--select", method, "--width", width, "--budget", budget, "--out", out
    )
    (evaluation,) = RunDir(out).evaluations()
    facts = [json.loads(extra)["selection"] for extra in evaluation.read(["extra"])["extra"].to_pylist()]
    spent = sum(one["spent_tokens"] for one in facts) / len(facts)
    own = accuracy_of(evaluation)
    return {
        "method": method,
        "width": width,
        "budget": budget,
        "spent_tokens": round(spent, 1),
        "minus_plain": compared(plain, own),
        "minus_majority_at_equal_tokens": compared(at_length(scaling, "majority", spent), own),
        "minus_best_final_at_equal_tokens": compared(at_length(scaling, "best-final", spent), own),
    }


if __name__ == "__main__":
    main()
