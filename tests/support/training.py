"""orz-rl as a user runs it, and small training configurations."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from orz_bench.records.metrics import METRICS
from orz_bench.records.parquet import all_columns
from orz_bench.records.run_dir import RunDir
from tests.support.command_line import ENVIRONMENT, run_command
from tests.support.preloaded import ForkedCommand

COMMAND = (sys.executable, "-m", "orz_rl.cli")
SMALL = (
    "train",
    "--recipe",
    "tiny",
    "cluster.in_process=true",
    "rollout.engine=transformers",
    "data.limit=64",
    "eval.benchmarks=",
    "rollout.num_problems=4",
    "rollout.num_samples=4",
)
"""One process, the exact engine, 16 rollouts a step, no evaluation."""
EVERY_TWO_STEPS = (
    "checkpoint.every=2",
    "eval.benchmarks=arithmetic",
    "eval.every=2",
    "eval.n=2",
    "eval.limit=4",
    "data.max_prompt_tokens=64",
)
"""A checkpoint and a small evaluation."""


def orz_rl(
    *arguments: str | Path, expect: int = 0, environment: Mapping[str, str] | None = None, is_started: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; its exit code has to be `expect`."""
    return run_command("orz_rl.cli", arguments, expect=expect, environment=environment, is_started=is_started)


def started(
    *arguments: str | Path,
    environment: Mapping[str, str] | None = None,
    prepare: Callable[[], object] | None = None,
) -> ForkedCommand:
    """Start it and return at once; `prepare` runs in its process first."""
    variables = ENVIRONMENT | dict(environment or {})
    return ForkedCommand("orz_rl.cli", tuple(map(str, arguments)), environment=variables, prepare=prepare)


def metrics_of(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl without times."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in row.items() if not METRICS[name].is_time} for row in rows]


def rollouts_of(run: Path, step: int) -> list[dict[str, Any]]:
    """All columns of a step's rollouts, sorted."""
    folder = RunDir(run).rollouts(step)
    rows: list[dict[str, Any]] = folder.read(all_columns(folder.path)).to_pylist()
    return sorted(rows, key=lambda row: (row["problem_id"], row["sample_index"]))
