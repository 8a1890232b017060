"""Files and folders that other tools wrote, as runs: read as `orz-bench import` reads them, nothing is written."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.reading.file_rollouts import ForeignRollouts, dumped_evaluations, dumped_rollouts
from analysis.reading.metric_files import by_step, curves_of
from analysis.reading.run import Evaluation, Run
from orz_bench.errors import DataError
from orz_bench.exchange.formats.format import Contents
from orz_bench.exchange.formats.registry import UnrecognisedError
from orz_bench.exchange.formats.sample import ForeignSample
from orz_bench.exchange.import_curves import ImportedCurves
from orz_bench.exchange.import_samples import columns_of
from orz_bench.exchange.imported_scores import SCORED_COLUMNS, protocol_of, summary_of
from orz_bench.exchange.sources import Known, Source, find_sources
from orz_bench.records.summary import EvalResult

Samples = Callable[[], Iterator[ForeignSample]]


def foreign_folder(folder: Path, step_column: str | None) -> Run:
    """The run that a tool wrote into a folder: its rollouts of training, its evaluations, its curves.

    DataError for a folder without such files, and for one that mixes tools.
    """
    rollouts, evaluations = dumped_rollouts(folder), dumped_evaluations(folder)
    make = partial(Run, name=folder.resolve().name, path=folder)
    if rollouts is not None or evaluations:
        return make(kind="dump", rollouts=rollouts, evaluations=_evaluations(evaluations, folder))
    notes: list[str] = []
    try:
        sources = _sources(folder, step_column, notes=notes)
    except UnrecognisedError as error:
        raise DataError(
            f"{folder}: neither a run directory (it has no run.json) nor a folder of another tool: it contains no file "
            f"of rollouts or curves that is recognised; name one of these, or a file."
        ) from error
    curves = ImportedCurves([], step_column=step_column)
    for source in sources:
        if source.contents.kind == "curves":
            notes += curves.add(source.path, source.contents, tool=source.format.name).notices
        notes += source.contents.notes
    sampled = [source for source in sources if source.contents.samples is not None]
    trained = [source for source in sampled if source.contents.trains]
    judged = [source for source in sampled if not source.contents.trains]
    return make(
        kind="folder",
        metrics=by_step(pd.DataFrame(curves.rows())),
        rollouts=ForeignRollouts(partial(_joined, trained)) if trained else None,
        evaluations=_evaluations(_by_evaluation(judged), folder, tool=judged[0].format.title if judged else ""),
        notes=tuple(dict.fromkeys(notes)),
    )


def foreign_file(path: Path, step_column: str | None) -> list[Run]:
    """The runs in a file: of a table, one for each value of its run column."""
    (source,) = _sources(path, step_column, notes=[])
    contents = source.contents
    make = partial(Run, path=path, kind="file", notes=contents.notes)
    if contents.samples is not None:
        names = _runs_in(contents.samples)
        named = [(name or path.stem, partial(_of_run, contents.samples, name)) for name in names]
        return [make(name=name, rollouts=ForeignRollouts(samples)) for name, samples in named]
    if contents.log is not None:
        curves = ImportedCurves([])
        added = curves.add(path, contents, tool=source.format.name)
        metrics = by_step(pd.DataFrame(curves.rows()))
        return [make(name=path.stem, metrics=metrics, notes=contents.notes + added.notices)]
    frames = _curves(path, contents, step_column=step_column, tool=source.format.name)
    return [make(name=name or path.stem, metrics=frame) for name, frame in frames.items()]


def _sources(path: Path, step_column: str | None, *, notes: list[str]) -> list[Source]:
    return find_sources([path], known=Known(step_column=step_column), notice=notes.append)


def _curves(path: Path, contents: Contents, *, step_column: str | None, tool: str) -> dict[str, pd.DataFrame]:
    assert contents.curves is not None
    wanted = step_column or contents.step_column
    frames = curves_of(contents.curves(), where=str(path), step_column=wanted, tool=tool)
    if not frames:
        raise DataError(f"{path}: no step has a number; name a file of curves.")
    return frames


def _evaluations(
    samples: dict[tuple[str, int], ForeignRollouts], folder: Path, *, tool: str = ""
) -> tuple[Evaluation, ...]:
    """With the scores by the tool's verdicts, where `tool` names it."""
    return tuple(
        Evaluation(
            benchmark=benchmark,
            step=step,
            fingerprint="",
            samples=rollouts,
            result=_result(benchmark, step, rows=_scored(rollouts), tool=tool, folder=folder) if tool else None,
        )
        for (benchmark, step), rollouts in samples.items()
    )


def _result(benchmark: str, step: int, *, rows: list[dict[str, Any]], tool: str, folder: Path) -> EvalResult | None:
    """None where a sample has no verdict."""
    summary = summary_of(rows)
    if summary is None:
        return None
    return EvalResult(
        run=str(folder),
        benchmark=benchmark,
        step=step,
        fingerprint="",
        model=folder.resolve().name,
        protocol=protocol_of(rows, tool=tool),
        summary=summary,
        num_problems_total=summary.num_problems,
    )


def _scored(rollouts: ForeignRollouts) -> list[dict[str, Any]]:
    """What scores are computed from; samples without an index are numbered in their order."""
    rows, following = [], Counter[str]()
    for sample in rollouts.samples():
        row = {name: value for name, value in columns_of(sample).items() if name in SCORED_COLUMNS}
        if row["sample_index"] is None:
            row["sample_index"] = following[row["problem_id"]]
        following[row["problem_id"]] = row["sample_index"] + 1
        rows.append(row)
    return rows


def _runs_in(samples: Samples) -> list[str | None]:
    """The runs of the samples, in order; [None] where they name none, which the first one shows."""
    first = next(samples(), None)
    return [None] if first is None or first.run is None else list(dict.fromkeys(one.run for one in samples()))


def _of_run(samples: Samples, run: str | None) -> Iterator[ForeignSample]:
    return samples() if run is None else (sample for sample in samples() if sample.run == run)


def _joined(sources: Sequence[Source]) -> Iterator[ForeignSample]:
    return itertools.chain.from_iterable(one.contents.samples() for one in sources if one.contents.samples is not None)


def _by_evaluation(sources: Sequence[Source]) -> dict[tuple[str, int], ForeignRollouts]:
    """The samples by benchmark (the file's name where they name none) and step."""
    of: dict[tuple[str, int], list[Source]] = {}
    for source in sources:
        for key in dict.fromkeys(_key(sample, source) for sample in _joined([source])):
            of.setdefault(key, []).append(source)
    return {key: ForeignRollouts(partial(_of_evaluation, of[key], key)) for key in sorted(of)}


def _of_evaluation(sources: Sequence[Source], key: tuple[str, int]) -> Iterator[ForeignSample]:
    return (sample for source in sources for sample in _joined([source]) if _key(sample, source) == key)


def _key(sample: ForeignSample, source: Source) -> tuple[str, int]:
    return sample.benchmark or source.path.stem, sample.step or 0
