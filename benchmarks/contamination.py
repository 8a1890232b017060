"""Is a model that was trained on half of 200 generated problems caught, and one that was trained on none of them not?

A model of tiny's size (0.6 million parameters) learns the texts of 100 word problems from scratch; `orz-bench
contamination` holds these against 100 others of the same program, and two halves of unseen ones against each other.

    python benchmarks/contamination.py [--epochs 60] [--model FOLDER]

With `--model`, a folder with SmolLM2-135M (`orz-bench model fetch smollm2-135m`), it also completes 50 questions of
MATH500 ($ORZ_DATA or ../shared/data).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import data_folder, keep

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.support.memorised import problems, table, trained

ROOT = Path(__file__).resolve().parents[1]


def answered(*arguments: str | Path) -> dict[str, Any]:
    """The JSON of the command."""
    command = [sys.executable, "-m", "orz_bench.cli", "contamination", *map(str, arguments), "--json"]
    found: dict[str, Any] = json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
    )
    return found


def caught(folder: Path, *, num: int, epochs: int) -> dict[str, Any]:
    """Seen against unseen, and unseen against unseen."""
    rows = problems(3 * num)
    tables = {
        name: table(folder / f"{name}.jsonl", rows[at * num : (at + 1) * num])
        for at, name in enumerate(("seen", "unseen", "other"))
    }
    start = time.process_time()
    loss = trained(folder / "model", [f"{q}\n{a}" for q, a in rows[:num]], epochs=epochs)
    seconds = time.process_time() - start
    common = ("--ckpt", folder / "model", "--engine", "transformers", "--dtype", "float32", "--out", folder / "run")
    seen = answered(*common, "--bench", tables["seen"], "--fresh", tables["unseen"])
    clean = answered(*common, "--bench", tables["other"], "--fresh", tables["unseen"])
    return {
        "problems": num,
        "epochs": epochs,
        "last loss": round(loss, 4),
        "training, CPU seconds": round(seconds, 1),
        "seen": _figures(seen["benchmarks"][0]),
        "unseen": _figures(seen["benchmarks"][1]),
        "seen against unseen": _test(seen["against_fresh"][0]),
        "unseen against unseen": _test(clean["against_fresh"][0]),
    }


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    by_share = {
        f"{100 * one['share']:g} %": {"exact": one["exact"], "rouge_l": one["rouge_l"]} for one in found["completions"]
    }
    return {"completions": by_share, "answers": {f"{100 * one['share']:g} %": one["right"] for one in found["answers"]}}


def _test(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in ("old", "fresh")}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--model", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = {"trained on 100": caught(Path(name), num=100, epochs=given.epochs)}
        if given.model is not None:
            arguments = ("--bench", "math500", "--limit", "50", "--data-dir", data_folder(), "--engine", "transformers")
            found = answered("--ckpt", given.model, *arguments, "--out", Path(name) / "smollm2")
            result["SmolLM2-135M on 50 of MATH500"] = _figures(found["benchmarks"][0])
    keep("contamination", result)


if __name__ == "__main__":
    main()
