"""orz-rl watch."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from orz_bench.asking.changes import EXTRACTOR_HELP
from orz_bench.commands.options import takes_options
from orz_bench.terminal import Grade, reports_errors, result_console, stderr_console


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """How a training is followed."""

    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at its files.")] = 5.0
    until_idle: Annotated[
        float | None, typer.Option(min=0.1, help="End when nothing has changed for so many seconds.")
    ] = None
    also: Annotated[
        list[Path] | None, typer.Option(help="Another folder or log of the same training; may be repeated.")
    ] = None
    metrics_only: Annotated[bool, typer.Option("--metrics-only", help="Leave the rollouts out.")] = False
    grade: Grade = False
    extractor: Annotated[str | None, typer.Option(help=f"{EXTRACTOR_HELP} [default: final].")] = None


@reports_errors
@takes_options
def watch_command(
    options: WatchOptions,
    *,
    path: Annotated[Path, typer.Argument(help="Folder of the training's logs and rollouts, or one of its logs.")],
    out: Annotated[Path, typer.Option(help="The run directory to create or to go on with.")],
    from_: Annotated[
        str,
        typer.Option("--from", help="Who trains: verl, openrlhf, trl or prime-rl; auto recognises it by its files."),
    ] = "auto",
) -> None:
    """Follow a training that another trainer runs into a run directory, while it trains.

    Ends when the training has ended, and with Ctrl-C. The same command again goes on. Its files are only read.
    """
    from orz_bench.errors import counted
    from orz_bench.records.run_dir import RunDir
    from orz_rl.backends.following.follow import Followed, watch
    from orz_rl.backends.following.recognise import recognised

    console = stderr_console()

    def notice(text: str) -> None:
        console.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    also = tuple(options.also or ())
    tool, sign = recognised(from_, (path, *also))
    notice(f"following {tool.name} ({sign})")
    followed = Followed(
        tool=tool.name,
        path=path,
        also=also,
        every_s=options.every,
        grade=options.grade,
        extractor=options.extractor or "final",
        metrics_only=options.metrics_only,
    )
    command = ("orz-rl", *sys.argv[1:])
    run = RunDir(out)
    watch(followed, run, command=command, notice=notice, until_idle_s=options.until_idle)
    rows, steps = run.metrics()[0], run.sampled_steps()
    result_console().print(
        f"{counted(len(rows), 'row')} of metrics and rollouts of {counted(len(steps), 'step')} in {out}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
