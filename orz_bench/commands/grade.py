"""orz-bench grade."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from orz_bench.commands.data import data_folders
from orz_bench.terminal import reports_errors


@reports_errors
def grade_command(
    bench: Annotated[str, typer.Option(help="The benchmark whose answers these are.")],
    in_: Annotated[Path, typer.Option("--in", help="JSON lines: problem_id, response, optional gold and stop_reason.")],
    out: Annotated[Path, typer.Option(help="Where the graded rows go: the same with extracted, verdict, why.")],
    extractor: Annotated[str, typer.Option(help="final, boxed or orz; lcb or fence for programs.")] = "final",
    workers: Annotated[int | None, typer.Option(min=1, help="Grading processes [default: one a core].")] = None,
    deadline: Annotated[float, typer.Option(min=0.1, help="CPU seconds before an answer's grading is given up.")] = 5.0,
    allow_weak_isolation: Annotated[
        bool, typer.Option(help="Run programs though this machine offers little to keep them in.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where benchmark files lie.")] = None,
) -> None:
    """Grade answers that exist already."""
    from orz_bench.benchmarks.registry import get_benchmark
    from orz_bench.data import load_problems
    from orz_bench.grade_file import grade_file
    from orz_bench.grading.code.extract import code_extractors
    from orz_bench.grading.grader import Grader

    benchmark = get_benchmark(bench)
    folders, console = data_folders(data_dir), Console(stderr=True)
    tests = load_problems(benchmark, folders=folders).tests if benchmark.kind == "code" else {}
    with Grader(
        extractor=code_extractors(extractor)[0] if tests else extractor,
        num_workers=workers,
        deadline_s=deadline,
        tests=tests,
        allow_weak_isolation=allow_weak_isolation,
    ) as grader:
        if tests:
            console.print(f"programs are run with {grader.check_isolation()}", markup=False, highlight=False)
        tally = grade_file(benchmark, in_, target=out, grader=grader, folders=folders)
    counts = "  ".join(f"{verdict} {count:,}" for verdict, count in tally.verdicts.items() if count)
    console.print(f"{tally.num_rows:,} answers graded in {tally.seconds:.1f} s: {counts}", highlight=False)
    console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)
