"""orz-bench import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.errors import counted
from orz_bench.terminal import reports_errors, stderr_console


@reports_errors
def import_command(
    files: Annotated[list[Path], typer.Argument(help="Files, or folders of Open-Reasoner-Zero's dumps.")],
    *,
    out: Annotated[Path, typer.Option(help="The run directory to create or extend.")],
    bench: Annotated[str | None, typer.Option(help="Benchmark of rows without one [default: the file's name].")] = None,
    step: Annotated[int | None, typer.Option(min=0, help="Step of rows without one [default: 0].")] = None,
    as_: Annotated[
        Literal["auto", "eval", "train"],
        typer.Option("--as", help="Kind of the rows; auto: training if the first has a reward."),
    ] = "auto",
    run: Annotated[str | None, typer.Option(help="Only the rows of this run, if a file holds several.")] = None,
) -> None:
    """Turn rollouts of other tools into a run directory: JSON lines, JSON, CSV, Parquet, Open-Reasoner-Zero's dumps.

    Running the same command again writes nothing twice; a stopped import resumes.
    """
    from orz_bench.exchange.import_files import ImportOptions, import_files

    options = ImportOptions(benchmark=bench, step=step, rows_are=as_, run=run, command=("orz-bench", *sys.argv[1:]))
    console = stderr_console()
    for folder in filter(Path.is_dir, files):
        console.print(f"looking for dumps in {folder}", style="dim", markup=False, highlight=False, soft_wrap=True)
    for done in import_files(files, out, options=options):
        outcome = (
            "was there already"
            if done.was_there
            else f"{counted(done.num_rows, 'rollout')} into {', '.join(done.targets)}"
        )
        console.print(f"{done.source}: {outcome}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)
