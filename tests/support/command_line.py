"""orz-bench as a user runs it, in a process of its own; most are forked from one that has the libraries loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from orz_bench.records.run_dir import RunDir
from tests.support.preloaded import ForkedCommand, run_forked

COMMAND = (sys.executable, "-m", "orz_bench.cli")
PROJECT = Path(__file__).parents[2]
TIMEOUT_S = 1000
"""For what hangs; a loaded machine takes as long as it takes."""


ENVIRONMENT = os.environ | {"PYTHONPATH": str(PROJECT), "COLUMNS": "200"}


def orz_bench(
    *arguments: str | Path, expect: int = 0, environment: Mapping[str, str] | None = None, is_started: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run it to its end; its exit code has to be `expect`."""
    return run_command("orz_bench.cli", arguments, expect=expect, environment=environment, is_started=is_started)


def orz_bench_here(*arguments: str | Path) -> str:
    """What it prints in this process, where vLLM is loaded by now: loading it takes six seconds of CPU."""
    from typer.testing import CliRunner

    from orz_bench.cli import app

    done = CliRunner().invoke(app, list(map(str, arguments)))
    if done.exception is not None:
        raise AssertionError(done.output) from done.exception
    return done.stdout


def started(*arguments: str | Path, prepare: Callable[[], object] | None = None) -> ForkedCommand:
    """Start it and return at once; `prepare` runs in its process first."""
    return ForkedCommand("orz_bench.cli", tuple(map(str, arguments)), environment=ENVIRONMENT, prepare=prepare)


def run_command(
    module: str,
    arguments: Sequence[str | Path],
    *,
    expect: int = 0,
    environment: Mapping[str, str] | None = None,
    is_started: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Forked; with `is_started` by an interpreter of its own, for what libraries read when they are imported."""
    words = tuple(map(str, arguments))
    variables = ENVIRONMENT | dict(environment or {})
    if is_started:
        command = [sys.executable, "-m", module, *words]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=variables,
            stdin=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        )
    else:
        done = run_forked(module, words, environment=variables, timeout_s=TIMEOUT_S)
    assert done.returncode == expect, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def results_of(done: subprocess.CompletedProcess[str] | str) -> list[dict[str, Any]]:
    """What --json printed."""
    printed = done if isinstance(done, str) else done.stdout
    results: list[dict[str, Any]] = json.loads(printed)["results"]
    return results


def rows_of(run: Path, *columns: str) -> list[tuple[Any, ...]]:
    """Sorted rows of every evaluation of a run."""
    names = columns or ("benchmark", "problem_id", "sample_index", "seed", "completion", "verdict", "num_tokens")
    tables = [evaluation.read(list(names)) for evaluation in RunDir(run).evaluations()]
    return sorted(tuple(row[name] for name in names) for table in tables for row in table.to_pylist())
