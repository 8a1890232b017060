"""orz-bench in a process of its own, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orz_bench.records.run_dir import RunDir

COMMAND = (sys.executable, "-m", "orz_bench.cli")
PROJECT = Path(__file__).parents[2]


def orz_bench(
    *arguments: str | Path, expect: int = 0, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; its exit code has to be `expect`."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "COLUMNS": "200"} | dict(environment or {}),
        stdin=subprocess.DEVNULL,
        timeout=280,
    )
    assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def results_of(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """What --json printed."""
    results: list[dict[str, Any]] = json.loads(done.stdout)["results"]
    return results


def rows_of(run: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Sorted rows of every evaluation of a run."""
    names = columns or ("benchmark", "problem_id", "sample_index", "seed", "completion", "verdict", "num_tokens")
    tables = [evaluation.read(list(names)) for evaluation in RunDir(run).evaluations()]
    return sorted(tuple(row[name] for name in names) for table in tables for row in table.to_pylist())
