"""Load runs from folders and files: our training and evaluation runs (running, crashed or finished), dumps of
Open-Reasoner-Zero, tables of rollouts or curves. The rest of analysis sees only what this module returns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from analysis.reading.file_rollouts import FileRollouts, ForeignRollouts, dumped_evaluations, dumped_rollouts
from analysis.reading.metric_files import by_step, curves_of
from analysis.reading.run_rollouts import PartRollouts, Rollouts
from orz_bench.errors import DataError, counted
from orz_bench.exchange.formats.format import Contents, Format
from orz_bench.exchange.formats.registry import read_of_tool
from orz_bench.records.foreign import flat, holds_rollouts, rows_of, run_column
from orz_bench.records.regular import read_text
from orz_bench.records.retention import reduction_note
from orz_bench.records.run_dir import EvaluationDir, RunDir
from orz_bench.records.summary import EvalResult

_NO_METRICS = by_step(pd.DataFrame())


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The responses of one benchmark, step and protocol, and the statistics if it has finished."""

    benchmark: str
    step: int
    fingerprint: str
    """Empty if the protocol is unknown."""
    samples: Rollouts
    result: EvalResult | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run, as far as it has been written."""

    name: str
    path: Path
    kind: Literal["train", "eval", "dump", "file"]
    state: Literal["done", "failed", "open", "unknown"] = "unknown"
    seed: int | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """config.yaml, nested."""
    metrics: pd.DataFrame = field(default_factory=_NO_METRICS.copy)
    """In the form of metric_files.by_step."""
    rollouts: Rollouts | None = None
    """Rollouts of training; for a file of responses: all of them."""
    evaluations: tuple[Evaluation, ...] = ()
    warnings: tuple[tuple[int, str], ...] = ()
    """(step, text) of each health warning of training."""
    notes: tuple[str, ...] = ()
    """What could not be read, and whatever else a reader of the figures has to know."""

    @property
    def results(self) -> list[EvalResult]:
        """Results of the finished evaluations, by benchmark and step."""
        return [evaluation.result for evaluation in self.evaluations if evaluation.result is not None]


def load_runs(paths: Sequence[Path]) -> list[Run]:
    """All runs in these folders and files, with distinct names. DataError or RunDirError: see load_path."""
    return _with_distinct_names([run for path in paths for run in load_path(path)])


def load_path(path: Path) -> list[Run]:
    """The run in a folder, or the runs in a file (one for each value of its run column).

    Raises DataError for anything else, RunDirError for a run directory of a newer version.
    """
    wanted = "name a run directory, a dump, or a table of rollouts or curves."
    try:
        if path.is_dir():
            return [_run_dir(RunDir(path), with_rollouts=True) if RunDir(path).exists() else _dump(path)]
        if not path.exists():
            raise DataError(f"{path}: no such file or folder; {wanted}")
        if not path.is_file():
            raise DataError(f"{path}: neither a folder nor a regular file; {wanted}")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {wanted}") from error
    return _file(path)


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
    skipped = [path for found in (rollouts, *(one.samples for one in evaluations)) for path in found.skipped]
    reduced = reduction_note(directory)
    notes = [
        (torn, f"{counted(torn, 'incomplete line')} of metrics.jsonl skipped"),
        (len(skipped), f"{counted(len(skipped), 'damaged part')} skipped, the first: {skipped[0] if skipped else ''}"),
        (directory.state() == "open", "the run has not finished (it is still running, or was killed)"),
        (directory.state() == "failed", "the run stopped before its end"),
        (any(e.result is None for e in evaluations), "an unfinished evaluation was skipped"),
        (reduced is not None, reduced or ""),
    ]
    return Run(
        name=directory.path.resolve().name,
        path=directory.path,
        kind="train" if info["kind"] == "train" else "eval",
        state=directory.state(),
        seed=info.get("seed"),
        config=_config(directory.config_path),
        metrics=by_step(pd.DataFrame(rows)),
        rollouts=rollouts if rollouts.paths else None,
        evaluations=evaluations,
        warnings=tuple(_warning(event) for event in directory.events("warning")),
        notes=tuple(text for holds, text in notes if holds),
    )


def _evaluation(directory: EvaluationDir, samples: PartRollouts) -> Evaluation:
    return Evaluation(
        benchmark=directory.benchmark,
        step=directory.step,
        fingerprint=directory.fingerprint,
        samples=samples,
        result=directory.result(),
    )


def _config(path: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(read_text(path)) if path.exists() else {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise DataError(
            f"{path}: not readable as YAML ({error}); restore it, or delete it to read the run without its settings."
        ) from error
    return content if isinstance(content, dict) else {}


def _warning(event: Mapping[str, Any]) -> tuple[int, str]:
    step = event.get("step")
    return step if isinstance(step, int) else 0, str(event.get("text", ""))


def _dump(folder: Path) -> Run:
    rollouts, evaluations = dumped_rollouts(folder), dumped_evaluations(folder)
    if rollouts is None and not evaluations:
        raise DataError(
            f"{folder}: neither a run directory (it has no run.json) nor a dump of Open-Reasoner-Zero (it has no "
            f"iter*_generation_results.json or eval_output_iter*.jsonl); name one of these, or a file."
        )
    return Run(
        name=folder.resolve().name,
        path=folder,
        kind="dump",
        rollouts=rollouts,
        evaluations=tuple(
            Evaluation(benchmark=benchmark, step=step, fingerprint="", samples=samples)
            for (benchmark, step), samples in evaluations.items()
        ),
    )


def _file(path: Path) -> list[Run]:
    of_tool = read_of_tool(path)
    return _table(path) if of_tool is None else [_of_tool(path, of_tool)]


def _of_tool(path: Path, found: tuple[Format, Contents]) -> Run:
    """A file that another tool wrote; DataError for one without responses and curves."""
    format_, contents = found
    make = partial(Run, name=path.stem, path=path, kind="file", notes=contents.notes)
    if contents.curves is not None:
        (frame,) = curves_of(contents.curves()).values()
        return make(metrics=frame)
    if contents.samples is not None:
        return make(rollouts=ForeignRollouts(contents.samples))
    raise DataError(f"{path}: {contents.what} ({format_.title}); name {contents.instead}.")


def _table(path: Path) -> list[Run]:
    head = [flat(row) for row in islice(rows_of(path), 50)]
    if not head:
        raise DataError(f"{path}: has no rows; name a table of rollouts or curves.")
    named = run_column(head[0])
    make = partial(Run, path=path, kind="file")
    if holds_rollouts(head[0]):
        column = named if named != "model" else None
        names = list(dict.fromkeys(str(flat(row).get(column)) for row in rows_of(path))) if column else []
        if column is None or len(names) == 1:
            return [make(name=path.stem, rollouts=FileRollouts((path,)))]
        return [make(name=name, rollouts=FileRollouts((path,), only=(column, name))) for name in names]
    curves = curves_of(rows_of(path))
    if not curves:
        raise DataError(
            f"{path}: columns {', '.join(head[0])}: neither responses (a column completion, response or output) nor "
            f"curves (a column step and numbers); rename the columns (see docs/analysis.md)."
        )
    return [make(name=name or path.stem, metrics=frame) for name, frame in curves.items()]


def _with_distinct_names(runs: list[Run]) -> list[Run]:
    """Prefix repeated names with the parent folder, then number them: figures and tables identify runs by name."""
    names = [run.name for run in runs]
    longer = [
        f"{run.path.resolve().parent.name}/{n}" if names.count(n) > 1 else n for run, n in zip(runs, names, strict=True)
    ]
    numbered = [f"{n} ({longer[: i + 1].count(n)})" if longer.count(n) > 1 else n for i, n in enumerate(longer)]
    return [replace(run, name=name) for run, name in zip(runs, numbered, strict=True)]
