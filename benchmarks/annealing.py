"""Does mining hard problems pay on `tiny`? 20 annealed steps on them, beside the same steps on all problems.

python benchmarks/annealing.py FOLDER [SEED...]: in FOLDER, which gets runs/tiny if it has none, every seed trains both
ways from the last checkpoint of runs/tiny, at the same rates. Results: results/annealing.json. Half an hour.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from _record import keep

_RATE = "3/8"
_ARMS = {"hard": (), "all": ("data.source=arithmetic", "data.limit=4096")}


def main(folder: Path, seeds: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    base = folder / "runs" / "tiny"
    _orz_rl(folder, "train", "--recipe", "tiny", "--out", "runs/tiny")
    mined = _orz_rl(
        folder, "curate", "mine-hard", "runs/tiny", "--max-pass-rate", _RATE, "--out", "data/tiny_hard.json", "--force"
    )
    runs: dict[str, dict[str, Any]] = {}
    for seed in seeds:
        for arm, overrides in _ARMS.items():
            name = f"runs/tiny_{arm}_{seed}"
            command = ("train", "--recipe", "tiny", "--variant", "anneal", "--out", name, f"seed={seed}")
            _orz_rl(folder, *command, *overrides)
            runs[f"{arm}, seed {seed}"] = _scores(folder / name)
    keep(
        "annealing",
        {
            "mined": mined.splitlines(),
            "base": _scores(base),
            "runs": runs,
            "means": {arm: _mean([each for name, each in runs.items() if name.startswith(arm)]) for arm in _ARMS},
        },
    )


def _orz_rl(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "orz_rl.cli", *arguments]
    return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout


def _scores(run: Path) -> dict[str, Any]:
    """Held-out sums at the last step, and the sampled rewards of the last five steps."""
    last = max(run.glob("evals/arithmetic/step=*/*/summary.json"), key=lambda path: path.parts[-3])
    summary = json.loads(last.read_text(encoding="utf-8"))
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    rewards = [row["reward/mean"] for row in metrics[-5:]]
    return {
        "step": metrics[-1]["step"],
        "held_out_avg_at_16": round(summary["avg_at_n"], 4),
        "error_of_sampling": round(summary["se_sampling"], 4),
        "reward_of_last_5_steps": round(sum(rewards) / len(rewards), 4),
    }


def _mean(runs: list[dict[str, Any]]) -> float:
    return round(sum(each["held_out_avg_at_16"] for each in runs) / max(1, len(runs)), 4)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(0)
    main(Path(sys.argv[1]), sys.argv[2:] or ["1", "2", "3"])
