"""orz-rl train."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.environment import data_folders
from orz_bench.terminal import DataDir, libraries_on_stderr, reports_errors, result_console, stderr_console

Recipe = Annotated[str, typer.Option(help="Name of a recipe; see `orz-rl recipes`.")]
Variant = Annotated[list[str] | None, typer.Option(help="Variant of the recipe; may be repeated.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[SECTION.KEY=VALUE]...", help="Settings that override the recipe.")
]


@reports_errors
def train_command(
    recipe: Recipe,
    *,
    overrides: Overrides = None,
    variant: Variant = None,
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/RECIPE[-VARIANT]].")] = None,
    fresh: Annotated[bool, typer.Option(help="Delete an existing run and start over.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Train with a recipe. Run the same command again to resume, however the run stopped."""
    from orz_rl.commands.progress import TrainingDisplay, closing_summary
    from orz_rl.recipes.registry import resolve
    from orz_rl.training.identity import check_out
    from orz_rl.training.loop import train
    from orz_rl.training.preparation import prepare

    config = resolve(recipe, variants=variant or (), overrides=overrides or ())
    folder = out or Path("runs") / "-".join([recipe, *(variant or ())])
    with libraries_on_stderr(), TrainingDisplay(stderr_console()) as display:
        check_out(folder, fresh=fresh)
        setup = prepare(config, out=folder, data=data_folders(data_dir), notice=display.notice)
        outcome = train(setup, command=("orz-rl", *sys.argv[1:]), observer=display, fresh=fresh)
    result_console().print(closing_summary(outcome), markup=False, highlight=False, soft_wrap=True)
