"""orz-bench grade."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from orz_bench.asking.changes import EXTRACTOR_HELP
from orz_bench.commands.options import takes_options
from orz_bench.environment import data_folders as parse_data_dir
from orz_bench.errors import ConfigError, counted, nearest
from orz_bench.evaluation.options import parse_names
from orz_bench.extraction.rules import EXTRACTOR_NAMES
from orz_bench.terminal import DATA_DIR, AllowWeakIsolation, Workers, reports_errors, result_console, stderr_console


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeOptions:
    """What is graded, and how."""

    bench: Annotated[
        str | None, typer.Option(help="The benchmark of these answers; with --again, those of the run to grade.")
    ] = None
    in_: Annotated[
        Path | None, typer.Option("--in", help="JSON lines: problem_id, response, optional gold and stop_reason.")
    ] = None
    out: Annotated[
        Path | None, typer.Option(help="File for the graded rows: the same with extracted, verdict, why.")
    ] = None
    again: Annotated[
        Path | None, typer.Option(help="A run whose stored samples are graded again; nothing is generated or lost.")
    ] = None
    extractor: Annotated[str | None, typer.Option(help=f"{EXTRACTOR_HELP} [default: final].")] = None
    second: Annotated[
        str | None,
        typer.Option(
            help="Another second rule, whose verdict is kept beside the one that counts: math-verify for what the "
            "library finds in the whole response (slow on long ones)."
        ),
    ] = None
    workers: Workers = None
    deadline: Annotated[float, typer.Option(min=0.1, help="CPU seconds before an answer's grading is given up.")] = 5.0
    allow_weak_isolation: AllowWeakIsolation = False
    data_folders: Annotated[tuple[Path, ...], DATA_DIR, parse_data_dir] = ()

    def limits(self) -> dict[str, Any]:
        """Settings of a Grader."""
        return {
            "num_workers": self.workers,
            "deadline_s": self.deadline,
            "allow_weak_isolation": self.allow_weak_isolation,
            "second": self.second,
        }


@reports_errors
@takes_options
def grade_command(options: GradeOptions) -> None:
    """Grade answers that exist already: those of a file, or those of a run again with the present grader."""
    if options.second is not None and options.second not in EXTRACTOR_NAMES:
        hint = nearest(options.second, EXTRACTOR_NAMES)
        raise ConfigError(f"--second {options.second!r} is unknown{hint}; there are {', '.join(EXTRACTOR_NAMES)}.")
    if options.again is not None:
        if options.in_ or options.out or options.extractor:
            raise ConfigError(
                "--again takes the samples, the place and the extractor from the run: leave --in, --out "
                "and --extractor out."
            )
        _grade_again(options.again, options)
        return
    if options.bench is None or options.in_ is None or options.out is None:
        raise ConfigError(
            "give --bench, --in and --out to grade a file, or --again RUN to grade a run's samples again."
        )
    _grade_file(options.bench, options.in_, out=options.out, options=options)


def _grade_file(name: str, source: Path, *, out: Path, options: GradeOptions) -> None:
    from orz_bench.benchmarks.loading.load import load_problems
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.exchange.grade_file import grade_file
    from orz_bench.extraction.programs import code_extractors
    from orz_bench.grading.grader import Grader
    from orz_bench.grading.judges.judge import require_reads

    benchmark, console, folders = get_benchmark(name), stderr_console(), options.data_folders
    extractor = options.extractor or "final"
    require_reads(extractor, benchmark.kind)
    if options.second is not None:
        require_reads(options.second, benchmark.kind, named="--second")
    tests = load_problems(benchmark, folders=folders).tests if benchmark.kind == "code" else {}
    if tests:
        extractor = code_extractors(extractor)[0]
    with closing(Grader(extractor=extractor, tests=tests, **options.limits())) as grader:
        if tests:
            console.print(f"programs are run with {grader.check_isolation()}", markup=False, highlight=False)
        tally = grade_file(benchmark, source, target=out, grader=grader, folders=folders)
    counts = "  ".join(f"{verdict} {count:,}" for verdict, count in tally.verdicts.items() if count)
    console.print(f"{counted(tally.num_rows, 'answer')} graded in {tally.seconds:.1f} s: {counts}", highlight=False)
    console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)


def _grade_again(run: Path, options: GradeOptions) -> None:
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.evaluation.regrade import RegradeOptions, regrade_run
    from orz_bench.records.run_dir import RunDir

    console = stderr_console()
    chosen = tuple(get_benchmark(name) for name in parse_names(options.bench))
    table = Table(
        "benchmark",
        "step",
        "graded",
        "again",
        "samples",
        "correct before",
        "correct now",
        "changed verdicts",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
    )
    num_evaluations = 0
    with console.status("grading"):
        for one in regrade_run(
            RunDir(run),
            options=RegradeOptions(benchmarks=chosen, folders=options.data_folders, **options.limits()),
            notice=lambda text: console.print(text, markup=False, highlight=False, soft_wrap=True),
        ):
            num_evaluations += 1
            changes = ", ".join(f"{count:,} {old} -> {new}" for (old, new), count in one.changes.items()) or "none"
            shares = (f"{100 * share:.2f} %" for share in (one.accuracy_old, one.accuracy_new))
            table.add_row(one.benchmark, str(one.step), one.old, one.new, f"{one.num_samples:,}", *shares, changes)
    if not num_evaluations:
        console.print(
            f"{run}: everything was graded by the present grader already", markup=False, highlight=False, soft_wrap=True
        )
        return
    result_console().print(table)
