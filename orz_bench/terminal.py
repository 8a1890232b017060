"""What every command line does: results to stdout, wide enough for a whole table when it is no terminal; our errors on
one screen with exit code 2; Ctrl-C, SIGTERM and SIGHUP one line with 130, 143 and 129; a bug keeps its traceback.

What is shown never ends a command: a stderr that is closed or full is written to no more, a reader of stdout that left
has read enough; results that could not be printed end it with exit code 2, after everything is on disk.
"""

from __future__ import annotations

import functools
import io
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TextIO, TypeVar, cast

import typer
from rich.console import Console, RenderableType

from orz_bench.errors import OrzError, RunDirError
from orz_bench.secrets import redact
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
        with _standard_streams(), stopped_by_signals():
            try:
                done = command(*args, **kwargs)
                sys.stdout.flush()
                return done
            except OrzError as error:
                _tell("error:", str(error), style="bold red")
                raise typer.Exit(2) from None
            except MemoryError:
                _tell("error:", "out of memory; free some, or raise the limit (ulimit -v).", style="bold red")
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                _tell("stopped;", "what was finished is kept, and the same command goes on from there.", style="yellow")
                raise typer.Exit(exit_code()) from None

    return wrapped


def listed(names: Iterable[str]) -> str:
    """`a, b or c`: what an option accepts, for its help."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


DATA_DIR = typer.Option("--data-dir", help="Folder with benchmark files [default: $ORZ_DATA].")
DataDir = Annotated[Path | None, DATA_DIR]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Grading processes [default: one per core].")]
AllowWeakIsolation = Annotated[
    bool, typer.Option(help="Run programs even if this machine provides only weak sandboxing.")
]
Baseline = Annotated[
    str | None, typer.Option(help="A model whose published figures stand beside ours [default: the same model].")
]
"""Options that several commands have."""


def _tell(start: str, text: str, *, style: str) -> None:
    """One message on stderr, whole and without secrets."""
    console = Console(stderr=True)
    console.print(start, style=style, end=" ", markup=False, highlight=False)
    console.print(redact(text), markup=False, highlight=False, soft_wrap=True)


class _Forgiving:
    """A standard stream whose reader may leave and whose disk may be full: it then swallows what it is given."""

    def __init__(self, stream: TextIO, descriptor: int) -> None:
        self.stream, self._descriptor, self._is_broken = stream, descriptor, False

    def write(self, text: str) -> int:
        """As of a stream."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """As of a stream."""
        self._try(self.stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def _try(self, act: Callable[[], Any]) -> None:
        if self._is_broken:
            return
        try:
            act()
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._is_broken = True
            _lead_nowhere(self._descriptor)
            with suppress(OSError, ValueError):
                self.stream.flush()  # what waits in its buffer must not turn up later
            self._failed(error)

    def _failed(self, error: OSError | ValueError) -> None:
        """Nothing: nobody can be told."""


class _Results(_Forgiving):
    """stdout: a reader that left has read enough, but a full disk has to be told."""

    def _failed(self, error: OSError | ValueError) -> None:
        if not isinstance(error, BrokenPipeError):
            raise RunDirError(
                f"stdout takes no more ({error}), so not all results were printed; what was written to files is whole. "
                f"Run the command again, or orz-bench report RUN."
            ) from error


@contextmanager
def _standard_streams() -> Iterator[None]:
    """While this lasts, stdout and stderr exist and end no command."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:  # closed from the start: the next file that is opened would take its number
            _lead_nowhere(descriptor)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal's encoding has not is escaped
            stream.reconfigure(errors="backslashreplace")
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Results(sys.stdout, 1))
    sys.stderr = cast("TextIO", _Forgiving(sys.stderr, 2))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _lead_nowhere(descriptor: int) -> None:
    """Let a standard stream lead nowhere, so that what is flushed at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def as_text(renderable: RenderableType) -> str:
    """The same as a file would hold it."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH_OF_FILES).print(renderable)
    return file.getvalue()


@contextmanager
def libraries_on_stderr() -> Iterator[None]:
    """What libraries and their C++ print to stdout while this lasts goes to stderr: stdout holds results alone."""
    sys.stdout.flush()
    stdout, results = os.dup(1), sys.stdout
    os.dup2(2, 1)
    sys.stdout = cast("TextIO", _Forgiving(getattr(results, "stream", results), 1))
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stdout = results
        os.dup2(stdout, 1)
        os.close(stdout)


def print_result(text: str, *, end: str = "\n") -> None:
    """Text to stdout as it is."""
    sys.stdout.write(f"{text}{end}")


def result_console() -> Console:
    """A console on stdout."""
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
