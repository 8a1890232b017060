"""What the literature's claims look like on `tiny` and on real rollouts: the numbers of docs/claims.md.

A tool: `--tiny` names a finished run of `orz-rl train --recipe tiny` (40 steps); without it nothing is done. Real are
the MATH500 responses of two 7B checkpoints trained with Open-Reasoner-Zero's recipe, graded here, and the paper's curve
of its 7B run ($ORZ_DATA or ../shared/data).

    python benchmarks/claims.py --tiny runs/demo
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _record import data_folder, keep

ROOT = Path(__file__).resolve().parents[1]
CHECKPOINTS = ("v1441", "v1442")


def answer(program: str, *arguments: str | Path) -> Any:
    """The JSON that a command prints."""
    command = [sys.executable, "-m", program, *map(str, arguments), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout)


def imported(folder: Path, checkpoint: str) -> Path:
    """A run with the checkpoint's responses, three or two to a question, graded."""
    lines = (data_folder() / "rollouts" / "orz_fork_eval_math500.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [row for row in map(json.loads, lines) if row["run"].startswith(checkpoint)]
    files = sorted({row["run"] for row in rows})
    table = folder / f"{checkpoint}.jsonl"
    with table.open("w", encoding="utf-8") as file:
        for row in rows:
            found = {
                "benchmark": "math500",
                "problem_id": f"math500-{row['index']}",
                "sample_index": files.index(row["run"]),
                "question": row["prompt"].rpartition("problem:\n")[2],
                "gold": row["expected"],
                "response": row["raw_response"],
            }
            file.write(json.dumps(found) + "\n")
    run = folder / checkpoint
    command = [sys.executable, "-m", "orz_bench.cli", "import", str(table), "--out", str(run), "--grade"]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    return run


def curve(folder: Path, *, num: int | None) -> Path:
    """The first steps of the paper's reward."""
    with (data_folder() / "curves" / "orz_7b_train_per_step.csv").open(encoding="utf-8") as file:
        rewards = [row for row in csv.DictReader(file) if row["metric"] == "reward"]
    table = folder / "curve.csv"
    chosen = rewards[:num]
    lines = [f"{row['step']},{row['y']}" for row in chosen]
    table.write_text("\n".join(["step,reward", *lines]) + "\n", encoding="utf-8")
    return table


def boundary(base: str | Path, run: str | Path) -> dict[str, Any]:
    (pair,) = answer("analysis.cli", "boundary", base, run)["pairs"]
    support, guessing = pair["support"], pair["guessing"]
    return {
        "questions": pair["num_questions"],
        "n": pair["n"],
        "pass_at": {
            str(test["k"]): {
                "base": test["comparison"]["average_a"],
                "run": test["comparison"]["average_b"],
                "low": test["comparison"]["low"],
                "high": test["comparison"]["high"],
                "p_holm": test["p_holm"],
            }
            for test in pair["tests"]
        },
        "crossing": pair["crossing"],
        "entered": len(support["entered"]),
        "left": len(support["left"]),
        "sure": sum(row["p_holm"] <= 0.05 for row in (*support["entered"], *support["left"])),
        "neither": support["neither"],
        "guessing": {name: value for name, value in guessing.items() if name != "crossing"},
        "crossing without guesses": guessing["crossing"],
    }


def probed(run: Path) -> dict[str, Any]:
    wanted = ("num_right", "num_wrong", "outcome_efficiency", "underthinking", "underthinking_by_chance")
    found = answer("orz_bench.cli", "probe", run)["evaluations"]
    return {str(one["step"]): {name: one[name] for name in wanted} for one in found}


def reflection(run: Path) -> dict[str, Any]:
    found = answer("analysis.cli", "reflection", run)["sets"][-1]
    return {name: found[name] for name in ("name", "num_responses", "rate", "effect")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tiny", type=Path)
    tiny = parser.parse_args().tiny
    if tiny is None:
        sys.exit("name a finished run of `orz-rl train --recipe tiny` with --tiny")
    weights = answer("analysis.cli", "weights", ROOT / "orz_rl" / "assets" / "tiny", f"{tiny}@40")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        runs = [imported(folder, checkpoint) for checkpoint in CHECKPOINTS]
        half = answer("analysis.cli", "forecast", curve(folder, num=365), "--metrics", "reward", "--at", 730)
        whole = answer("analysis.cli", "step-moment", curve(folder, num=None), "--metrics", "reward")
        real = {
            "boundary": boundary(*runs),
            "probe": probed(runs[0]),
            "reflection": reflection(runs[0]),
            "forecast of half of the paper's reward": half["curves"][0],
            "step moments of the paper's reward": [one["step"] for one in whole["breaks"]],
        }
    found = {
        "boundary": boundary(f"{tiny}@0", tiny),
        "probe": probed(tiny),
        "reflection": reflection(tiny),
        "forecast": answer("analysis.cli", "forecast", tiny)["curves"][0]["refusal"],
        "weights": weights["all"] | {"types": weights["types"]},
    }
    keep("claims", {"tiny": found, "real": real})


if __name__ == "__main__":
    main()
