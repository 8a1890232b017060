"""Time and memory of `orz-rl curate` at 100,000 and a million made-up rows, all stages that need no model.

python benchmarks/curation_scale.py [ROWS...]; without arguments 100,000 rows. Results: results/curation_scale.json.
"""

from __future__ import annotations

import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from pydoc_data import topics
from typing import Any

from _record import data_folder, keep

from orz_rl.curation.pipeline import curate
from orz_rl.curation.settings import checked


def main(sizes: list[int]) -> None:
    keep("curation_scale", {"runs": [_in_own_process(size) for size in sizes]})


def _in_own_process(num_rows: int) -> dict[str, Any]:
    """So that the peak of memory is that of one size."""
    command = [sys.executable, __file__, "--one", str(num_rows)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(num_rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        source, out = Path(folder) / "rows.jsonl", Path(folder) / "out"
        write_rows(source, num_rows)
        settings = checked(
            {"sources": [{"path": str(source)}], "language": {"keep": "english"}}, where="curation_scale"
        )
        before, start, cpu = _peak_mib(), time.perf_counter(), time.process_time()
        stages: list[tuple[str, float]] = []
        curated = curate(
            settings,
            out=out,
            folders=[data_folder() / "eval"],
            notice=lambda text: stages.append((text.partition(":")[0], time.perf_counter())),
        )
        end = time.perf_counter()
        times = [start, *(at for _, at in stages)]
        return {
            "rows": num_rows,
            "kept": curated.num_kept,
            "source_mib": round(source.stat().st_size / 2**20),
            "seconds": round(end - start),
            "cpu_seconds_of_this_process": round(time.process_time() - cpu),
            "peak_mib": round(_peak_mib()),
            "peak_mib_before": round(before),
            "seconds_by_stage": {
                **{name: round(at - times[n], 1) for n, (name, at) in enumerate(stages)},
                "outputs": round(end - times[-1], 1),
            },
        }


def write_rows(path: Path, num_rows: int) -> None:
    """Questions of random English words and numbers; one in fifty repeats another, half of these but a word."""
    rng = random.Random(0)
    # English words as often as Python's own manual has them.
    words = re.findall(r"\b[a-z]{2,12}\b", " ".join(topics.topics.values()))
    earlier: list[tuple[list[str], int]] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(num_rows):
            is_new = not earlier or rng.random() >= 0.02
            question, answer = made_up(words, rng=rng) if is_new else repeated(*rng.choice(earlier), rng=rng)
            if is_new and len(earlier) < 20_000:
                earlier.append((question, answer))
            row = {"id": f"r{number}", "problem": " ".join(question) + "?", "answer": str(answer), "level": number % 5}
            file.write(json.dumps(row) + "\n")


def made_up(words: list[str], *, rng: random.Random) -> tuple[list[str], int]:
    question = rng.choices(words, k=rng.randint(15, 60))
    for _ in range(3):
        question[rng.randrange(len(question))] = f"${rng.randint(2, 999)}x$"
    return question, rng.randint(-999, 9999)


def repeated(question: list[str], answer: int, *, rng: random.Random) -> tuple[list[str], int]:
    question = list(question)
    if rng.random() < 0.5:
        question[rng.randrange(len(question))] = "certain"
    return question, answer


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measured(int(sys.argv[2]))))
    else:
        main([int(size) for size in sys.argv[1:]] or [100_000])
