"""What everything but the model costs: 500 MATH500-sized problems x 16 samples through `orz-bench eval --engine fake`.

Drawn, graded, written to Parquet, read back, summarised: wall time of the whole command, start included, for 8,000
samples. inspect_ai with a mock model: 28 ms a sample (measured on a machine of this kind).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time

from _record import data_folder, keep

N, REPEATS = 16, 3


def main() -> None:
    runs = [_run() for _ in range(REPEATS)]
    best = min(runs, key=lambda run: run["wall_s"])
    keep(
        "harness_overhead", {"samples": best["samples"], "runs": runs, "wall_ms_per_sample": best["wall_ms_per_sample"]}
    )


def _run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "orz_bench.cli", "eval", "--ckpt", "fake:0.6", "--engine", "fake", "--bench"]
        command += ["math500", "--n", str(N), "--data-dir", str(data_folder()), "--out", f"{folder}/run", "--json"]
        start = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall = time.monotonic() - start
    samples = json.loads(done.stdout)["results"][0]["num_generated_now"]
    return {
        "samples": samples,
        "wall_s": round(wall, 2),
        "wall_ms_per_sample": round(1000 * wall / samples, 3),
    }


if __name__ == "__main__":
    main()
