"""orz-bench grade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from orz_bench.commands.data import data_folders
from orz_bench.errors import ConfigError
from orz_bench.terminal import reports_errors, result_console


@reports_errors
def grade_command(
    bench: Annotated[
        str | None, typer.Option(help="The benchmark whose answers these are; with --again, those of the run to grade.")
    ] = None,
    in_: Annotated[
        Path | None, typer.Option("--in", help="JSON lines: problem_id, response, optional gold and stop_reason.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the graded rows go: the same with extracted, verdict, why.")
    ] = None,
    again: Annotated[
        Path | None, typer.Option(help="A run whose stored samples are graded again; nothing is drawn or lost.")
    ] = None,
    extractor: Annotated[
        str | None, typer.Option(help="final, boxed or orz; lcb or fence for programs [default: final].")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Grading processes [default: one a core].")] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="CPU seconds before an answer's grading is given up.")] = 5.0,
    allow_weak_isolation: Annotated[
        bool, typer.Option(help="Run programs though this machine offers little to keep them in.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where benchmark files lie.")] = None,
) -> None:
    """Grade answers that exist already: a file's, or those of a run again with the present grader."""
    limits: dict[str, Any] = {
        "num_workers": workers,
        "deadline_s": deadline,
        "allow_weak_isolation": allow_weak_isolation,
    }
    folders = data_folders(data_dir)
    if again is not None:
        if in_ or out or extractor:
            raise ConfigError(
                "--again takes the samples, the place and the extractor from the run: leave --in, --out "
                "and --extractor out."
            )
        _grade_again(again, bench, folders=folders, limits=limits)
        return
    if bench is None or in_ is None or out is None:
        raise ConfigError(
            "give --bench, --in and --out to grade a file, or --again RUN to grade a run's samples again."
        )
    _grade_file(bench, in_, out=out, folders=folders, settings=limits | {"extractor": extractor or "final"})


def _grade_file(name: str, source: Path, *, out: Path, folders: tuple[Path, ...], settings: dict[str, Any]) -> None:
    from orz_bench.benchmarks.loading.load import load_problems
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.exchange.grade_file import grade_file
    from orz_bench.extraction.programs import code_extractors
    from orz_bench.grading.grader import Grader

    benchmark, console = get_benchmark(name), Console(stderr=True)
    tests = load_problems(benchmark, folders=folders).tests if benchmark.kind == "code" else {}
    if tests:
        settings["extractor"] = code_extractors(settings["extractor"])[0]
    with Grader(tests=tests, **settings) as grader:
        if tests:
            console.print(f"programs are run with {grader.check_isolation()}", markup=False, highlight=False)
        tally = grade_file(benchmark, source, target=out, grader=grader, folders=folders)
    counts = "  ".join(f"{verdict} {count:,}" for verdict, count in tally.verdicts.items() if count)
    console.print(f"{tally.num_rows:,} answers graded in {tally.seconds:.1f} s: {counts}", highlight=False)
    console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)


def _grade_again(run: Path, bench: str | None, *, folders: tuple[Path, ...], limits: dict[str, Any]) -> None:
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.evaluation.regrade import RegradeOptions, regrade_run
    from orz_bench.records.run_dir import RunDir

    console = Console(stderr=True)
    names = tuple(get_benchmark(name.strip()).name for name in bench.split(",")) if bench else ()
    table = Table(
        "benchmark",
        "step",
        "graded",
        "again",
        "samples",
        "right before",
        "right now",
        "verdicts that changed",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    num_evaluations = 0
    with console.status("grading"):
        for one in regrade_run(
            RunDir(run),
            options=RegradeOptions(benchmarks=names, folders=folders, **limits),
            notice=lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
        ):
            num_evaluations += 1
            changes = ", ".join(f"{count:,} {old} -> {new}" for (old, new), count in one.changes.items()) or "none"
            shares = (f"{100 * share:.2f} %" for share in (one.accuracy_old, one.accuracy_new))
            table.add_row(one.benchmark, str(one.step), one.old, one.new, f"{one.num_samples:,}", *shares, changes)
    if not num_evaluations:
        console.print(f"{run}: the present grader has graded all of it", markup=False, highlight=False, soft_wrap=True)
        return
    result_console().print(table)
