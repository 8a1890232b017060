"""Options of commands that read stored rollouts: which of a run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from orz_bench.evaluation.options import parse_names


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which evaluations, or whether the rollouts of training."""

    bench: Annotated[
        tuple[str, ...], typer.Option(help="Only these benchmarks, separated by commas."), parse_names
    ] = ()
    step: Annotated[int | None, typer.Option(min=0, help="Only this step.")] = None
    rollouts: Annotated[bool, typer.Option("--rollouts", help="The rollouts of training instead of evaluations.")] = (
        False
    )
