"""orz-bench import."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.errors import counted
from orz_bench.terminal import Grade, StepColumn, listed, reports_errors, stderr_console

if TYPE_CHECKING:
    from orz_bench.exchange.import_files import ImportedFile

FORMATS = (
    "orz", "inspect", "evalscope", "lm-eval", "lighteval", "livecodebench", "qwen-math", "nemo-skills", "verifiers",
    "verl", "trl", "skyrl", "openrlhf", "prime-rl", "opencompass", "wandb", "tensorboard", "jsonl",
)  # fmt: skip
"""Names of orz_bench.exchange.formats, which needs pyarrow; a test compares them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportCommandOptions:
    """What the files do not say."""

    from_: Annotated[str, typer.Option("--from", help=f"auto: recognised by the content; or {listed(FORMATS)}.")] = (
        "auto"
    )
    bench: Annotated[str | None, typer.Option(help="Benchmark of rows without one [default: the file's name].")] = None
    step: Annotated[int | None, typer.Option(min=0, help="Step of rows without one [default: 0].")] = None
    as_: Annotated[
        Literal["auto", "eval", "train"],
        typer.Option(
            "--as", help="Kind of the rows; auto: as the format says, a table is training if it has a reward."
        ),
    ] = "auto"
    run: Annotated[str | None, typer.Option(help="Only the rows of this run, if a file holds several.")] = None
    step_column: StepColumn = None
    grade: Grade = False


@reports_errors
@takes_options
def import_command(
    options: ImportCommandOptions,
    *,
    files: Annotated[list[Path], typer.Argument(help="Files of other tools, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The run directory to create or extend.")],
) -> None:
    """Turn rollouts, evaluations and curves of other tools into a run directory.

    Running the same command again writes nothing twice; a stopped import resumes.
    """
    from orz_bench.exchange.import_files import ImportOptions, import_files

    console = stderr_console()

    def show(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    settings = ImportOptions(
        benchmark=options.bench,
        step=options.step,
        rows_are=options.as_,
        run=options.run,
        format=None if options.from_ == "auto" else options.from_,
        step_column=options.step_column,
        grade=options.grade,
        command=("orz-bench", *sys.argv[1:]),
    )
    for folder in filter(Path.is_dir, files):
        console.print(f"looking for dumps in {folder}", style="dim", markup=False, highlight=False, soft_wrap=True)
    for done in import_files(files, out, options=settings, notice=show):
        show(f"{done.source}: {done.what}; {_outcome(done)}")
        for note in done.notes:
            show(f"  {note}")
    show(f"written to {out}")


def _outcome(done: ImportedFile) -> str:
    if done.was_there:
        return "was there already"
    return f"{counted(done.num_rows, 'step' if done.is_curve else 'rollout')} into {', '.join(done.targets)}"
