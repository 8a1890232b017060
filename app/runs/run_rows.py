"""The table of runs: one row per run from its small files; the row of an unreadable run gives the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.reading.load import Run, load_small_files
from app.runs.folder import RunEntry
from orz_bench.errors import OrzError
from orz_bench.records.intervals import percent_spread
from orz_bench.records.run_dir import RunDir
from orz_bench.records.summary import EvalResult

SPARK_POINTS = 40
SPARK_METRIC = "reward/mean"
Stamp = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """The table row of one run, without its name and state. None is unknown."""

    kind: str = ""
    step: int | None = None
    num_steps: int | None = None
    """Number of steps in the configuration."""
    seed: int | None = None
    spark: tuple[float, ...] = ()
    """Mean reward over steps, at most SPARK_POINTS values."""
    scores: tuple[EvalResult, ...] = ()
    """The last result of every benchmark."""
    num_warnings: int = 0
    fault: str = ""
    """Why the run cannot be read; empty if it can."""


def stamp_of(path: Path) -> Stamp:
    """Changes whenever one of the small files of a run changes: the cache key of what is computed from them."""
    directory = RunDir(path)
    files = [directory.run_path, directory.metrics_path, directory.events_path, directory.config_path]
    files += [path / "DONE", path / "FAILED", *(one.summary_path for one in directory.evaluations())]
    found = ((file, status_of(file)) for file in files)
    return tuple((str(file), *status) for file, status in found if status is not None)


def status_of(path: Path) -> tuple[int, int] | None:
    """(size, time of the last change); None for a file that is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def run_row(path: Path) -> RunRow:
    """The table row of a run."""
    try:
        run = load_small_files(path)
    except OrzError as error:
        return RunRow(fault=str(error))
    steps = run.metrics["step"]
    wanted = run.config.get("num_steps")
    return RunRow(
        kind={"train": "training", "eval": "evaluation"}.get(run.kind, run.kind),
        step=int(steps.iloc[-1]) if len(steps) else _last_evaluated(run),
        num_steps=wanted if isinstance(wanted, int) else None,
        seed=run.seed,
        spark=thinned(run.metrics[SPARK_METRIC].to_numpy()) if SPARK_METRIC in run.metrics else (),
        scores=tuple(last_results([result for result in run.results if result.is_scored])),
        num_warnings=len(run.warnings),
    )


def _last_evaluated(run: Run) -> int | None:
    return max((evaluation.step for evaluation in run.evaluations), default=None)


def last_results(results: list[EvalResult]) -> list[EvalResult]:
    """The result of the last step for every benchmark; of several protocols, the one with most questions."""
    last: dict[str, EvalResult] = {}
    for result in results:
        known = last.get(result.benchmark)
        if known is None or _rank(result) > _rank(known):
            last[result.benchmark] = result
    return [last[name] for name in sorted(last)]


def _rank(result: EvalResult) -> tuple[int, int, int]:
    return result.step, result.summary.num_problems, result.summary.n


def thinned(values: Any, most: int = SPARK_POINTS) -> tuple[float, ...]:
    """The finite values, or means of neighbours if there are more than `most`."""
    known = values[np.isfinite(values)]
    if len(known) <= most:
        return tuple(float(value) for value in known)
    return tuple(float(part.mean()) for part in np.array_split(known, most))


def score_text(result: EvalResult) -> str:
    """`93.9 (± 1.2; ± 0.6)`: percent, and the 95 % intervals over questions and of sampling; – if unknown."""
    summary = result.summary
    shown = [percent_spread(summary.avg_at_n, found) for found in (summary.question, summary.sampling)]
    return f"{100 * summary.avg_at_n:.1f} ({'; '.join(shown)})"


def runs_table(entries: list[RunEntry], rows: list[RunRow]) -> pd.DataFrame:
    """One row per run: name, state, steps, reward, one column per benchmark, written, kind, seed, note."""
    benchmarks = sorted({result.benchmark for row in rows for result in row.scores})
    table = pd.DataFrame(
        {
            "name": [entry.name for entry in entries],
            "state": [entry.state if not row.fault else "unreadable" for entry, row in zip(entries, rows, strict=True)],
            "steps": [_steps(row) for row in rows],
            "reward": [list(row.spark) or None for row in rows],
        }
    )
    for name in benchmarks:
        texts = [next((score_text(one) for one in row.scores if one.benchmark == name), None) for row in rows]
        table[f"score:{name}"] = texts
    table["written"] = pd.to_datetime([entry.modified for entry in entries], unit="s", utc=True)
    table["kind"] = [row.kind for row in rows]
    table["seed"] = pd.array([row.seed for row in rows], dtype="Int64")
    table["note"] = [_note(row) for row in rows]
    return table


def _steps(row: RunRow) -> str:
    if row.step is None:
        return "–"
    return f"{row.step:,} / {row.num_steps:,}" if row.num_steps else f"{row.step:,}"


def _note(row: RunRow) -> str:
    if row.fault:
        return row.fault
    return f"{row.num_warnings} warning{'s' if row.num_warnings > 1 else ''}" if row.num_warnings else ""
