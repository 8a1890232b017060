"""What `make demo` prints, scores, and holds in memory: trains `tiny`, then reports it.

Memory is the sum of the proportional set sizes of all processes, read four times a second: a page that several of them
share counts once. The sampler's rounding depends on which requests share a batch, so two runs of one seed differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _record import keep

from orz_bench.results.lookup import results_of

MARK = "ORZ_TINY_DEMO"


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        started = time.monotonic()
        peak = train(Path("runs/demo"))
        seconds = time.monotonic() - started
        command = [sys.executable, "-m", "orz_bench.cli", "report", "runs/demo"]
        report = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "200"}
        )
        scores = {str(one.step): one.summary.avg_at_n for one in results_of(Path("runs/demo"))}
        sizes = sorted(peak.values(), reverse=True)
        keep(
            "tiny_demo",
            {
                "seed": 42,
                "minutes": round(seconds / 60, 1),
                "arithmetic avg@16": scores,
                "peak_gib": round(sum(sizes) / 2**30, 2),
                "processes_at_the_peak": len(sizes),
                "largest_gib": [round(size / 2**30, 2) for size in sizes[:5]],
                "printed": [*printed_by_training(), "", *(line.rstrip() for line in report.stdout.splitlines())],
            },
        )


def train(out: Path) -> dict[str, int]:
    """Run it, and return the memory of its processes at the peak."""
    mark = f"{MARK}={os.getpid()}"
    peak: dict[str, int] = {}
    with Path("printed.txt").open("wb") as printed:
        command = [sys.executable, "-m", "orz_rl.cli", "train", "--recipe", "tiny", "--out", str(out)]
        trainer = subprocess.Popen(command, env=os.environ | {MARK: str(os.getpid()), "COLUMNS": "200"}, stdout=printed)
        while trainer.poll() is None:
            found = memory_of(mark)
            if sum(found.values()) > sum(peak.values()):
                peak = found
            time.sleep(0.25)
    if trainer.returncode:
        sys.exit(trainer.returncode)
    return peak


def printed_by_training() -> list[str]:
    return [line.rstrip() for line in Path("printed.txt").read_text("utf-8").splitlines()]


def memory_of(mark: str) -> dict[str, int]:
    """Proportional set size in bytes by process number, of every process that inherited the mark."""
    found: dict[str, Any] = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                lines = (process / "smaps_rollup").read_text(encoding="ascii").splitlines()
                found[process.name] = next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue  # it ended, or is another user's
    return found


if __name__ == "__main__":
    main()
