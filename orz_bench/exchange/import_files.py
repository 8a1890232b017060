"""Files of other tools -> a run directory: samples as they are, curves as metrics. Unknown values are null.

Every row carries the digest of its file and its number there (in `extra`), so that the same import again writes nothing
twice and a killed one resumes. The formats are in orz_bench/exchange/formats/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from orz_bench.environment import describe_environment
from orz_bench.errors import DataError, counted
from orz_bench.exchange.import_curves import ImportedCurves
from orz_bench.exchange.import_samples import FINGERPRINT, Facts, Targets, trains_of
from orz_bench.exchange.imported_scores import write_scores
from orz_bench.exchange.sources import Known, Source, find_sources
from orz_bench.records.run_dir import RunDir


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """Facts that the files do not contain, and which rows are imported."""

    benchmark: str | None = None
    step: int | None = None
    rows_are: Literal["auto", "eval", "train"] = "auto"
    """auto: as each file's format says."""
    run: str | None = None
    format: str | None = None
    """The format's name; None: recognised by the content."""
    step_column: str | None = None
    """The column of curves with the step."""
    grade: bool = False
    """Whether our grader judges the samples too."""
    command: tuple[str, ...] = ()

    @property
    def facts(self) -> Facts:
        """What samples get from it."""
        trains = None if self.rows_are == "auto" else self.rows_are == "train"
        return Facts(benchmark=self.benchmark, step=self.step, run=self.run, trains=trains)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """Result of importing one file."""

    source: Path
    num_rows: int
    """Samples, or steps of curves."""
    targets: tuple[str, ...]
    """Folders of the run that hold its rows, or its file of metrics."""
    was_there: bool
    what: str = ""
    """What the file is."""
    is_curve: bool = False
    notes: tuple[str, ...] = ()


def import_files(
    paths: Sequence[Path], out: Path, *, options: ImportOptions, notice: Callable[[str], None] = lambda _: None
) -> Iterator[ImportedFile]:
    """Import the files, and those that are recognised in the folders, one after the other into the run `out`.

    Raises DataError for a file that is missing, empty, of no format, without responses or curves, of several runs, or
    changed since it was imported: all files are read before anything is written.
    """
    known = Known(format=options.format, step_column=options.step_column)
    sources = find_sources(paths, known=known, notice=notice)
    _check(sources, options, run=RunDir(out))
    trains = any(source.contents.kind == "curves" or trains_of(source, options.facts) for source in sources)
    facts = describe_environment() | {"seed": None, "imported": True}
    run = RunDir(out)
    with run.lock():
        for source in sources:
            _refuse_changed(source, run, there=_events(run))
        curves = _curves_of(run, options)
        targets = Targets(run, facts=options.facts)
        run.create(kind="train" if trains else "eval", command=options.command, seed=0, environment=facts)
        with run.writing(stopped_event="import_stopped"):
            for source in sources:
                yield _import_file(source, run, targets=targets, curves=curves)
            if options.grade:
                _grade(run, notice=notice)
            _score(run)


def _check(sources: Sequence[Source], options: ImportOptions, *, run: RunDir) -> None:
    """Read everything, so that what cannot be imported fails before anything is written."""
    curves, targets = _curves_of(run, options), Targets(run, facts=options.facts, writes=False)
    there = _events(run)
    for source in sources:
        _refuse_changed(source, run, there=there)
        if source.digest in there.values():
            continue
        if source.contents.samples is not None:
            targets.take(source)
        else:
            curves.add(source.path, source.contents, tool=source.format.name)
        there[source.name] = source.digest


def _curves_of(run: RunDir, options: ImportOptions) -> ImportedCurves:
    rows = run.metrics()[0] if run.exists() else []
    return ImportedCurves(rows, step_column=options.step_column, run=options.run)


def _refuse_changed(source: Source, run: RunDir, *, there: Mapping[str, str]) -> None:
    if there.get(source.name, source.digest) != source.digest:
        raise DataError(
            f"{source.path}: another file of this name was imported into {run.path}, or is in this import; import "
            f"this one into a new run directory (--out), or give it another name if its rows differ."
        )


def _import_file(source: Source, run: RunDir, *, targets: Targets, curves: ImportedCurves) -> ImportedFile:
    path, contents = source.path, source.contents
    about: dict[str, Any] = {"what": contents.what, "notes": contents.notes, "is_curve": contents.kind == "curves"}
    if source.digest in _events(run).values():
        return ImportedFile(source=path, num_rows=0, targets=(), was_there=True, **about)
    if contents.samples is None:
        added = curves.add(path, contents, tool=source.format.name)
        run.write_metrics(curves.rows())
        num_rows, about["notes"] = added.num_steps, (*contents.notes, *added.notices)
        names: tuple[str, ...] = (run.metrics_path.name,)
    else:
        taken = targets.take(source)
        num_rows, names = taken.num_rows, taken.names
    run.add_event(
        "imported",
        file=source.name,
        digest=source.digest,
        rows=num_rows,
        format=source.format.name,
        what=contents.what,
        notes=list(contents.notes),
        facts=dict(contents.facts),
    )
    return ImportedFile(source=path, num_rows=num_rows, targets=names, was_there=False, **about)


def _events(run: RunDir) -> dict[str, str]:
    """By name: the digests of the files that were imported whole."""
    return {event["file"]: event["digest"] for event in run.events("imported")}


def _score(run: RunDir) -> None:
    for evaluation in run.evaluations():
        if evaluation.fingerprint.startswith(FINGERPRINT):
            write_scores(evaluation, run)


def _grade(run: RunDir, *, notice: Callable[[str], None]) -> None:
    """Our verdicts beside theirs, and a line for each folder in which they differ."""
    from orz_bench.exchange.grade_imported import grade_imported

    evaluations = [one for one in run.evaluations() if one.fingerprint.startswith(FINGERPRINT)]
    for folder in [*evaluations, *(folder for _, folder in run.sampled_steps())]:
        found = grade_imported(folder, notice=notice)
        if not found.num_graded:
            continue
        name = folder.path.relative_to(run.path)
        if not any(theirs != "none" for theirs, _ in found.pairs):
            right = sum(count for (_, ours), count in found.pairs.items() if ours == "correct")
            notice(
                f"{name}: {right:,} of {counted(found.num_graded, 'sample')} correct by our grader; no other verdict"
            )
            continue
        differing = found.differing
        total = sum(count for _, _, count in differing)
        listed = ", ".join(f"{count:,} {theirs} by the file and {ours} by us" for theirs, ours, count in differing)
        notice(
            f"{name}: {total:,} of {counted(found.num_graded, 'verdict')} differ" + (f": {listed}" if listed else "")
        )
