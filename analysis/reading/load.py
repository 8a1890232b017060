"""Load runs from folders and files: our training and evaluation runs (running, crashed or finished), and whatever other
tools wrote (analysis.reading.foreign). The rest of analysis sees only what this module returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.reading.foreign import foreign_file, foreign_folder
from analysis.reading.metric_files import by_step
from analysis.reading.run import Evaluation as Evaluation
from analysis.reading.run import Run as Run
from analysis.reading.run_rollouts import PartRollouts
from orz_bench.errors import DataError, counted
from orz_bench.records.origin import origin_of
from orz_bench.records.regular import read_text
from orz_bench.records.retention import reduction_note
from orz_bench.records.run_dir import EvaluationDir, RunDir


def load_runs(paths: Sequence[Path], *, step_column: str | None = None) -> list[Run]:
    """All runs in these folders and files, with distinct names. DataError or RunDirError: see load_path."""
    return _with_distinct_names([run for path in paths for run in load_path(path, step_column=step_column)])


def load_path(path: Path, *, step_column: str | None = None) -> list[Run]:
    """The run in a folder, or the runs in a file (one for each value of its run column).

    `step_column`: the column of curves with the step, where several fit. Raises DataError for anything else,
    RunDirError for a run directory of a newer version.
    """
    wanted = "name a run directory, or files or a folder of another tool."
    try:
        if path.is_dir():
            run = RunDir(path)
            return [_run_dir(run, with_rollouts=True) if run.exists() else foreign_folder(path, step_column)]
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; {wanted}")
        if not path.is_file():
            raise DataError(f"{path}: neither a folder nor a regular file; {wanted}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {wanted}") from error
    return foreign_file(path, step_column)


def load_small_files(path: Path) -> Run:
    """The run in a run directory from its small files alone: no rollouts, and evaluations without samples.

    Takes milliseconds, however many rollouts there are. RunDirError for a folder that is not a run, or is a newer one.
    """
    return _run_dir(RunDir(path), with_rollouts=False)


def one_of(runs: Sequence[Run], name: str | None) -> Run:
    """The run of that name, or the only run. DataError if there are several, or none of that name."""
    chosen = [run for run in runs if name is None or run.name == name]
    if len(chosen) != 1:
        names = ", ".join(run.name for run in runs)
        raise DataError(f"{runs[0].path} holds the runs {names}; name one of them with --run.")
    return chosen[0]


def _run_dir(directory: RunDir, *, with_rollouts: bool) -> Run:
    def parts(*folders: Path) -> PartRollouts:
        return PartRollouts.in_folders(folders if with_rollouts else ())

    info = directory.info()
    rows, torn = directory.metrics()
    rollouts = parts(*(folder.path for _, folder in directory.sampled_steps()))
    evaluations = tuple(_evaluation(one, parts(one.path)) for one in directory.evaluations())
    lost = [one for one in evaluations if one.num_lost]
    skipped = [path for found in (rollouts, *(one.samples for one in evaluations)) for path in found.skipped]
    reduced = reduction_note(directory)
    notes = [
        (torn, f"{counted(torn, 'incomplete line')} of metrics.jsonl skipped"),
        (len(skipped), f"{counted(len(skipped), 'damaged part')} skipped, the first: {skipped[0] if skipped else ''}"),
        (lost, _told_lost(lost)),
        (directory.state() == "open", "the run has not finished (it is still running, or was killed)"),
        (directory.state() == "failed", "the run stopped before its end"),
        (any(e.result is None for e in evaluations), "an unfinished evaluation was skipped"),
        (reduced is not None, reduced or ""),
    ]
    config = _config(directory.config_path)
    origin = origin_of(info, config)
    return Run(
        name=directory.path.resolve().name + origin.suffix,
        path=directory.path,
        kind="train" if info["kind"] == "train" else "eval",
        state=directory.state(),
        seed=info.get("seed"),
        config=config,
        origin=origin,
        metrics=by_step(pd.DataFrame(rows)),
        rollouts=rollouts if rollouts.paths else None,
        evaluations=evaluations,
        warnings=tuple(_warning(event) for event in directory.events("warning")),
        notes=tuple(text for holds, text in notes if holds),
    )


def _evaluation(directory: EvaluationDir, samples: PartRollouts) -> Evaluation:
    result = directory.result()
    is_counted = result is not None and bool(samples.paths or samples.skipped)
    return Evaluation(
        benchmark=directory.benchmark,
        step=directory.step,
        fingerprint=directory.fingerprint,
        samples=samples,
        result=result,
        num_lost=max(result.summary.num_samples - samples.num_rows(), 0) if is_counted and result else 0,
    )


def _told_lost(evaluations: Sequence[Evaluation]) -> str:
    if not evaluations:
        return ""
    first = evaluations[0]
    return (
        f"{counted(len(evaluations), 'evaluation')} left out of comparisons because samples are missing or damaged, "
        f"the first: {first.benchmark}, step {first.step} ({first.num_lost:,} lost)"
    )


_YAML = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Ten times as fast where PyYAML has it, as its wheels do."""


def _config(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.load(read_text(path), Loader=_YAML) if path.exists() else {}  # noqa: S506 - a safe one
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(
            f"{path}: not readable as YAML ({error}); restore it, or delete it to read the run without its settings."
        ) from error
    return content if isinstance(content, dict) else {}


def _warning(event: Mapping[str, Any]) -> tuple[int, str]:
    step = event.get("step")
    return step if isinstance(step, int) else 0, str(event.get("text", ""))


def _with_distinct_names(runs: list[Run]) -> list[Run]:
    """Prefix repeated names with the parent folder, then number them: figures and tables identify runs by name."""
    names = [run.name for run in runs]
    longer = [
        f"{run.path.resolve().parent.name}/{n}" if names.count(n) > 1 else n for run, n in zip(runs, names, strict=True)
    ]
    numbered = [f"{n} ({longer[: i + 1].count(n)})" if longer.count(n) > 1 else n for i, n in enumerate(longer)]
    return [replace(run, name=name) for run, name in zip(runs, numbered, strict=True)]
