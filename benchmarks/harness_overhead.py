"""What everything but the model costs: 500 MATH500 problems x 16 samples through `orz-bench eval --engine fake`.

Drawn, graded, written to Parquet, read back, summarised: wall time of the whole command, start included, for 8,000
samples. Beside it, in the same run, inspect_ai with its mock model and its simplest scorer on 800 samples
(its start not counted, ours is), where $ORZ_PEER_PYTHON names a Python that has it (`pip install inspect-ai`).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from _record import data_folder, keep

N, REPEATS = 16, 3
PEER_QUESTIONS = 50
"""A tenth of ours, to save time: whether its cost a sample depends on their number was not measured."""
PEER_CODE = """
import sys, time
from inspect_ai import Task, eval
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate
questions = [Sample(input=f"What is {i} + {i}?", target=str(2 * i), id=str(i)) for i in range(int(sys.argv[1]))]
task = Task(dataset=MemoryDataset(questions), solver=generate(), scorer=match(), epochs=int(sys.argv[2]))
start = time.monotonic()
eval(task, model="mockllm/model", display="none", log_dir=sys.argv[3])
print(time.monotonic() - start)
"""


def main() -> None:
    peer = os.environ.get("ORZ_PEER_PYTHON")
    ours, theirs = [], []
    for _ in range(REPEATS):
        ours.append(_our_ms())
        if peer:
            theirs.append(_peer_ms(peer))
    median = statistics.median(ours)
    result = {"samples": 500 * N, "wall_ms_per_sample": median, "runs_ms": ours}
    if theirs:
        other = statistics.median(theirs)
        result |= {"inspect_ai_ms_per_sample": other, "inspect_ai_runs_ms": theirs, "ratio": round(other / median, 1)}
    keep("harness_overhead", result)


def _our_ms() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "orz_bench.cli", "eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench"]
        command += ["math500", "--n", str(N), "--data-dir", str(data_folder()), "--out", f"{folder}/run", "--json"]
        start = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall = time.monotonic() - start
    return round(1000 * wall / json.loads(done.stdout)["results"][0]["num_generated_now"], 3)


def _peer_ms(python: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-c", PEER_CODE, str(PEER_QUESTIONS), str(N), folder]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    return round(1000 * float(done.stdout.split()[-1]) / (PEER_QUESTIONS * N), 3)


if __name__ == "__main__":
    main()
