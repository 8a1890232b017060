"""orz-rl fit-critic."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from orz_bench.commands.options import takes_options
from orz_bench.errors import ConfigError, counted
from orz_bench.terminal import BarDisplay, Json, libraries_on_stderr, print_result, reports_errors, stderr_console


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """On what, and how long."""

    from_step: Annotated[int, typer.Option(min=1, help="Only rollouts of this step, or later.")] = 1
    to_step: Annotated[int | None, typer.Option(min=1, help="Only rollouts up to this step.")] = None
    held_out: Annotated[float, typer.Option(help="Share of the problems that is not learned, but measured.")] = 0.2
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the rollouts.")] = 1
    batch: Annotated[
        int | None, typer.Option(min=1, help="Rollouts of an optimizer step [default: as in the run's critic updates].")
    ] = None
    lr: Annotated[float | None, typer.Option(help="Learning rate [default: optim.critic_lr of the run].")] = None
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="Of the order, and of a new value head.")] = 0
    start: Annotated[
        str | None, typer.Option(help="Checkpoint from which the critic starts [default: that of the run's critic].")
    ] = None
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where the critic computes.")] = "auto"
    save_every: Annotated[int, typer.Option(min=1, help="Optimizer steps between two states on disk.")] = 50


@reports_errors
@takes_options
def fit_critic_command(
    options: FitOptions,
    *,
    run: Annotated[Path, typer.Argument(help="A training run with its rollouts.")],
    out: Annotated[Path, typer.Option(help="A new folder for the critic.")],
    json_output: Json = False,
) -> None:
    """Fit a critic on the stored rollouts of a run, for critic.from. Run the same command again to resume."""
    from orz_bench.installed.extras import require

    if not 0 < options.held_out < 1:
        raise ConfigError(f"--held-out is {options.held_out:g}, wanted a share between 0 and 1, such as 0.2.")
    if options.lr is not None and not 0 < options.lr < float("inf"):
        raise ConfigError(f"--lr is {options.lr:g}, wanted a number above 0.")
    if options.to_step is not None and options.to_step < options.from_step:
        raise ConfigError(f"--to-step is {options.to_step}, but --from-step {options.from_step}; raise it.")
    require("train", what="fitting a critic", but=("ray", "tensorboardX"))
    from orz_rl.fitting.fit import FitSettings, fit_critic, shown
    from orz_rl.fitting.rollouts import Chosen

    settings = FitSettings(
        chosen=Chosen(from_step=options.from_step, to_step=options.to_step, held_out=options.held_out),
        epochs=options.epochs,
        batch=options.batch,
        lr=options.lr,
        seed=options.seed,
        start=options.start,
        device=options.device,
        save_every=options.save_every,
    )
    with libraries_on_stderr(), BarDisplay(stderr_console()) as display:
        found = fit_critic(run, out=out, settings=settings, notice=display.notice)
    if json_output:
        print_result(json.dumps(asdict(found) | {"path": str(found.path)}, ensure_ascii=False))
        return
    state = "" if found.is_new else " (was complete already)"
    print_result(
        f"{found.path}: fitted on {counted(found.num_learned, 'rollout')} in {counted(found.num_updates, 'update')}"
        f"{state}\n"
        f"explained variance of {counted(found.num_held_out, 'held-out rollout')}: {shown(found.before)} before, "
        f"{shown(found.after)} after\n"
        f"start a run from it: orz-rl train --recipe NAME --out RUN critic.from={found.path}"
    )
