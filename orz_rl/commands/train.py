"""orz-rl train."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.environment import data_folders
from orz_bench.terminal import DataDir, libraries_on_stderr, reports_errors, result_console, stderr_console

Recipe = Annotated[str, typer.Option(help="Name of a recipe; see `orz-rl recipes`.")]
Variant = Annotated[list[str] | None, typer.Option(help="Variant of the recipe; may be repeated.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[SECTION.KEY=VALUE]...", help="Settings that override the recipe.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where a run is written, and by what."""

    backend: Annotated[str, typer.Option(help="Trainer; see `orz-rl backends`.")] = "native"
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/RECIPE[-VARIANT]].")] = None
    fresh: Annotated[bool, typer.Option(help="Delete an existing run and start over.")] = False


@reports_errors
@takes_options
def train_command(
    options: RunOptions,
    *,
    recipe: Recipe,
    overrides: Overrides = None,
    variant: Variant = None,
    data_dir: DataDir = None,
) -> None:
    """Train with a recipe. Run the same command again to resume, however the run stopped."""
    from orz_rl.backends.backend import Job
    from orz_rl.backends.start import start
    from orz_rl.commands.progress import TrainingDisplay, closing_summary
    from orz_rl.recipes.registry import resolve

    job = Job(
        config=resolve(recipe, variants=variant or (), overrides=overrides or ()),
        out=options.out or Path("runs") / "-".join([recipe, *(variant or ())]),
        data=data_folders(data_dir),
        command=("orz-rl", *sys.argv[1:]),
        fresh=options.fresh,
    )
    with libraries_on_stderr(), TrainingDisplay(stderr_console()) as display:
        outcome = start(options.backend, job, observer=display)
    result_console().print(closing_summary(outcome), markup=False, highlight=False, soft_wrap=True)
