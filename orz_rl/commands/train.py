"""orz-rl train."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orz_bench.commands.options import takes_options
from orz_bench.environment import data_folders
from orz_bench.terminal import DataDir, libraries_on_stderr, reports_errors, result_console, stderr_console

if TYPE_CHECKING:
    from orz_rl.backends.backend import Job

_RECIPE = typer.Option(help="Name of a recipe; see `orz-rl recipes`.")
Recipe = Annotated[str, _RECIPE]
Variant = Annotated[list[str] | None, typer.Option(help="Variant of the recipe; may be repeated.")]
Overrides = Annotated[
    list[str] | None, typer.Argument(metavar="[SECTION.KEY=VALUE]...", help="Settings that override the recipe.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Where a run is written, and by what."""

    recipe: Annotated[str | None, _RECIPE] = None
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="RUN@STEP", help="Instead of a recipe: go on from the checkpoint of this step of a run."
        ),
    ] = None
    replay: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Instead of a recipe: learn from the stored rollouts of a run, without engines."
        ),
    ] = None
    backend: Annotated[str, typer.Option(help="Trainer; see `orz-rl backends`.")] = "native"
    out: Annotated[Path | None, typer.Option(help="Run directory [default: runs/RECIPE[-VARIANT]].")] = None
    fresh: Annotated[bool, typer.Option(help="Delete an existing run and start over.")] = False


@reports_errors
@takes_options
def train_command(
    options: RunOptions,
    *,
    overrides: Overrides = None,
    variant: Variant = None,
    data_dir: DataDir = None,
) -> None:
    """Train with a recipe, or with the settings of a run, from its checkpoint (--from) or on its rollouts (--replay).

    Run the same command again to resume, however the run stopped.
    """
    from orz_rl.backends.start import start
    from orz_rl.commands.progress import TrainingDisplay, closing_summary

    with libraries_on_stderr(), TrainingDisplay(stderr_console()) as display:
        job, notices = _job_of(options, overrides or (), variants=variant or (), data=data_folders(data_dir))
        for text in notices:
            display.notice(text)
        outcome = start(options.backend, job, observer=display)
    result_console().print(closing_summary(outcome), markup=False, highlight=False, soft_wrap=True)


def _job_of(
    options: RunOptions, overrides: Sequence[str], *, variants: Sequence[str], data: tuple[Path, ...]
) -> tuple[Job, tuple[str, ...]]:
    """The job, and what to say of its settings. OrzError for options that say nothing, two things, or too little."""
    from orz_bench.errors import ConfigError
    from orz_rl.backends.backend import Job
    from orz_rl.recipes.registry import resolve

    recipe = options.recipe
    if (recipe is None) == (options.source is None and options.replay is None):
        wanted = "one of --recipe NAME, --from RUN@STEP and --replay RUN"
        raise ConfigError(
            f"nothing says what to train: give {wanted}."
            if recipe is None
            else "--from and --replay take the settings of a run, so --recipe cannot be given as well; set single "
            "settings as section.key=value."
        )
    command = ("orz-rl", *sys.argv[1:])
    if recipe is not None:
        config = resolve(recipe, variants=variants, overrides=overrides)
        out = options.out or Path("runs") / "-".join([recipe, *variants])
        return Job(config=config, out=out, data=data, command=command, fresh=options.fresh), ()
    if options.out is None:
        raise ConfigError("--from and --replay make a new run: name its folder with --out.")
    from orz_bench.records.run_dir import RunDir
    from orz_rl.training.lineage import Asked, derive

    derived = derive(
        Asked(branch=options.source, replay=options.replay),
        out=RunDir(options.out),
        variants=variants,
        overrides=overrides,
        fresh=options.fresh,
    )
    job = Job(
        config=derived.config,
        out=options.out,
        data=data,
        command=command,
        fresh=options.fresh,
        lineage=derived.lineage.facts(),
    )
    return job, derived.notices
