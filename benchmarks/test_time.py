"""Which rule wins at equal tokens: the tiny model after 20 steps with its critic, and a real set of stored answers.

tiny   trained for 20 steps, 64 samples of each of 100 questions, the critic's values of them; what those values say
real   MATH500, six answers a question by models trained with Open-Reasoner-Zero's recipe, verdicts of the file

    python benchmarks/test_time.py [--folder DIR]    # half an hour; finished parts in DIR are used again
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _record import data_folder, keep

from analysis.texts.lexicons import get_lexicon
from analysis.values.assessed import assessed_sets
from analysis.values.study import ValueStudy, value_study

STEPS = 20


def run(program: str, *arguments: str | Path) -> str:
    command = [sys.executable, "-m", f"{program}.cli", *map(str, arguments)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def tiny(folder: Path) -> tuple[Path, Path]:
    """(the evaluated run, its critic), with values."""
    trained, evaluated = folder / "tiny", folder / "tiny64"
    run("orz_rl", "train", "--recipe", "tiny", "--out", trained, f"num_steps={STEPS}")
    critic = trained / "checkpoints" / f"step={STEPS:06d}" / "critic"
    asked = ("--ckpt", trained, "--step", str(STEPS), "--bench", "arithmetic", "--n", "64", "--keep-tokens")
    run("orz_bench", "eval", *asked, "--out", evaluated)
    run("orz_bench", "value", evaluated, "--critic", critic)
    return evaluated, critic


def real(folder: Path) -> Path:
    rows = folder / "math500.jsonl"
    runs: dict[str, int] = {}
    with rows.open("w", encoding="utf-8") as file:
        for line in (data_folder() / "rollouts" / "orz_fork_eval_math500.jsonl").open(encoding="utf-8"):
            row = json.loads(line)
            ours = {
                "problem_id": str(row["index"]),
                "sample_index": runs.setdefault(row["run"], len(runs)),
                "gold": row["expected"],
                "completion": row["raw_response"],
                "extracted": row["generated_answer"],
                "verdict": row["is_match"],
                "benchmark": "math500",
            }
            file.write(json.dumps(ours) + "\n")
    run("orz_bench", "import", rows, "--out", folder / "math500")
    return folder / "math500"


def scaled(folder: Path, *options: str | Path) -> dict[str, Any]:
    (found,) = json.loads(run("orz_bench", "scale", folder, "--json", *options))["evaluations"]
    points = [
        {"rule": one["rule"], "k": one["k"], "length": round(one["length"]), **rounded(one, "accuracy", "low", "high")}
        for one in found["points"]
    ]
    pairs = [
        {"rule": one["b"]["rule"], "length": round(one["lengths"][0]), "p_holm": one["p_holm"]}
        | rounded(one, "difference", "low", "high")
        for one in found["comparisons"]
    ]
    shown = {name: found[name] for name in ("num_questions", "n", "unit", "front")}
    return shown | {"points": points, "minus_majority_at_equal_length": pairs}


def rounded(one: dict[str, Any], *names: str) -> dict[str, float]:
    return {name: round(one[name], 4) for name in names}


def known(study: ValueStudy) -> dict[str, Any]:
    found = study.to_json()
    final = found["by_position"][-1]
    return {
        "auroc_final": final["auroc"],
        "brier_final": final["brier"],
        "ece_final": final["ece"],
        "within_question": found["within_question"],
        "reflections": found["reflections"],
        "repeated_share": found["repeated_share"],
        "repetition_value": found["repetition_value"],
        "falls": found["falls"],
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path("runs/test-time"))
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    evaluated, critic = tiny(folder)
    (source,) = assessed_sets(evaluated)
    result = {
        "tiny": scaled(evaluated, "--critic", critic, "--k", "1,2,4,8,16,32,64"),
        "tiny_at_most_16": scaled(evaluated, "--critic", critic, "--k", "1,2,4,8,16"),
        "values_of_tiny": known(value_study(source, get_lexicon("orz-code"))),
        "math500": scaled(real(folder)),
    }
    keep("test_time", result)


if __name__ == "__main__":
    main()
