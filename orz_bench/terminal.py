"""What every command line does: results to stdout, wide enough for a whole table when it is no terminal; our errors on
one screen with exit code 2; Ctrl-C, SIGTERM and SIGHUP one line with 130, 143 and 129; a bug keeps its traceback.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console, RenderableType

from orz_bench.errors import OrzError
from orz_bench.signals import exit_code, stopped_by_signals

P = ParamSpec("P")
R = TypeVar("R")
_WIDTH_OF_FILES = 150


def command_line(name: str, summary: str) -> typer.Typer:
    """A program to which commands are added."""
    return typer.Typer(
        name=name,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        _accept_any_text()
        with stopped_by_signals():
            try:
                return command(*args, **kwargs)
            except OrzError as error:
                _tell("error:", str(error), style="bold red")
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                _tell("stopped;", "what was finished is kept, and the same command goes on from there.", style="yellow")
                raise typer.Exit(exit_code()) from None

    return wrapped


def _accept_any_text() -> None:
    """Characters that the terminal's encoding (LANG=C, a foreign one) has not are escaped; printing never fails."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _tell(start: str, text: str, *, style: str) -> None:
    """One message on stderr, whole; on a terminal that is gone, none."""
    console = Console(stderr=True)
    try:
        console.print(start, style=style, end=" ", markup=False, highlight=False)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):  # what is flushed at exit would fail again and change the exit code
            os.dup2(nowhere, stream)


def as_text(renderable: RenderableType) -> str:
    """The same as a file would hold it."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH_OF_FILES).print(renderable)
    return file.getvalue()


@contextmanager
def libraries_on_stderr() -> Iterator[None]:
    """What libraries and their C++ print to stdout while this lasts goes to stderr: stdout holds results alone."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def result_console() -> Console:
    """A console on stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
