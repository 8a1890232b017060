"""How a command fails: our errors on one screen with exit code 2, Ctrl-C with 130; a bug keeps its traceback."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console

from orz_bench.errors import OrzError

P = ParamSpec("P")
R = TypeVar("R")


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        console = Console(stderr=True)
        try:
            return command(*args, **kwargs)
        except OrzError as error:
            console.print("[bold red]error:[/] ", end="")
            console.print(str(error), markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            console.print(
                "stopped; what was finished is kept, and the same command goes on from there.", style="yellow"
            )
            raise typer.Exit(130) from None

    return wrapped
