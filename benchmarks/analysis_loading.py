"""A million rollouts on a small machine: time and peak memory of what analysis reads of them.

python benchmarks/analysis_loading.py [ROWS]; writes results/analysis_loading.json. Parts of 8,192 rows are made up,
with texts of about 600 characters, in a temporary folder. Each measurement runs in a process of its own; features of
texts, which take minutes for a million, are measured on a tenth of the rows.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _record import keep

from orz_bench.records.parquet import ROLLOUT_SCHEMA
from orz_bench.records.run_dir import RunDir

ROWS = 1_000_000
PART_ROWS = 8192
WORDS = np.array(
    ["so", "we", "add", "the", "numbers", "and", "get", "wait,", "let me check:", "12 + 7 = 19", "however,", "it is"]
)


def write_run(folder: Path, rows: int) -> int:
    """A training run with one part a step; returns the bytes of text in it."""
    rng = np.random.default_rng(0)
    run = RunDir(folder)
    run.create(kind="train", command=[], seed=0, environment={})
    num_bytes = 0
    for step in range(1, -(-rows // PART_ROWS) + 1):
        size = min(PART_ROWS, rows - (step - 1) * PART_ROWS)
        texts = [" ".join(words) for words in WORDS[rng.integers(0, len(WORDS), size=(size, 140))]]
        num_bytes += sum(map(len, texts))
        target = run.rollouts(step).path
        target.mkdir(parents=True)
        pq.write_table(_table(texts, step, rng), target / "part-000000.parquet", compression="zstd")
    return num_bytes


def _table(texts: list[str], step: int, rng: np.random.Generator) -> pa.Table:
    size = len(texts)
    right = rng.random(size) < 0.5
    columns = {
        "benchmark": ["synthetic"] * size,
        "problem_id": [f"p{step}-{number // 64}" for number in range(size)],
        "question": ["What is the sum of these numbers?"] * size,
        "gold": ["19"] * size,
        "sample_index": [number % 64 for number in range(size)],
        "seed": [0] * size,
        "step": [step] * size,
        "completion": texts,
        "num_tokens": rng.integers(50, 300, size),
        "stop_reason": ["eos"] * size,
        "extracted": ["19"] * size,
        "verdict": np.where(right, "correct", "wrong"),
        "reward": right.astype(float),
    }
    arrays = [
        pa.array(columns[f.name], type=f.type) if f.name in columns else pa.nulls(size, f.type) for f in ROLLOUT_SCHEMA
    ]
    return pa.table(arrays, schema=ROLLOUT_SCHEMA)


def numbers(run: Path) -> int:
    from analysis.reading.load import load_path

    rollouts = load_path(run)[0].rollouts
    assert rollouts is not None
    frame = rollouts.numbers()
    assert frame.groupby("step")["reward"].mean().between(0.4, 0.6).all()
    return len(frame)


def batches(run: Path) -> int:
    from analysis.reading.load import load_path

    rollouts = load_path(run)[0].rollouts
    assert rollouts is not None
    return sum(int(batch["completion"].str.len().gt(0).sum()) for batch in rollouts.batches())


def features(run: Path) -> int:
    from analysis.curves.build import build_study, default_lexicon
    from analysis.reading.load import load_path

    studied = build_study(load_path(run)[0], lexicon=default_lexicon())
    assert studied.features is not None
    return len(studied.features)


def everything_in_pandas(run: Path) -> int:
    import pandas as pd

    columns = ["step", "completion", "num_tokens", "verdict", "reward"]
    return len(
        pd.concat(
            [pd.read_parquet(path, columns=columns, partitioning=None) for path in run.glob("rollouts/*/*.parquet")]
        )
    )


STAGES: dict[str, Callable[[Path], int]] = {
    "numbers of all rollouts (DuckDB)": numbers,
    "all texts, batch by batch": batches,
    "the same with plain pandas, texts in memory": everything_in_pandas,
    "features and curves of all texts": features,
}


def measure(stage: str, run: Path) -> dict[str, float]:
    """Run one stage in a process of its own."""
    code = [sys.executable, __file__, "--stage", stage, str(run)]
    found: dict[str, float] = json.loads(subprocess.run(code, stdout=subprocess.PIPE, text=True, check=True).stdout)
    return found


def _in_this_process(stage: str, run: Path) -> None:
    start, start_cpu = time.perf_counter(), time.process_time()
    rows = STAGES[stage](run)
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(
        json.dumps({"rows": rows, "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1), "peak_mib": round(peak)})
    )


def main(rows: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        num_bytes = write_run(run, rows)
        write_run(Path(folder) / "tenth", rows // 10)
        stages = {stage: measure(stage, run) for stage in list(STAGES)[:-1]}
        last = list(STAGES)[-1]
        stages[last] = measure(last, Path(folder) / "tenth")
    keep("analysis_loading", {"rollouts": rows, "text_mib": round(num_bytes / 2**20), "stages": stages})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--stage"]:
        _in_this_process(sys.argv[2], Path(sys.argv[3]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
