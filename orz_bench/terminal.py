"""Behaviour shared by all command lines: results go to stdout, wide enough for a whole table when it is not a terminal;
our errors are printed without a traceback, with exit code 2; Ctrl-C, SIGTERM and SIGHUP print one line and exit with
130, 143 and 129; a bug keeps its traceback.

Output never ends a command early: a closed or full stderr is ignored, and so is a reader of stdout that has left. If
results cannot be printed, the command exits with code 2 after everything is on disk.
"""

from __future__ import annotations

import errno
import functools
import io
import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, Self, TextIO, TypeVar, cast

import typer
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType, RenderHook
from rich.control import Control
from rich.segment import Segment
from typer.core import TyperCommand, TyperGroup, TyperOption

from orz_bench.environment import version_text
from orz_bench.errors import OrzError, RunDirError
from orz_bench.installed.extras import require_for
from orz_bench.installed.plugins import names_of
from orz_bench.secrets import redact
from orz_bench.signals import exit_code, stopped_by_signals

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

P = ParamSpec("P")
R = TypeVar("R")
_UsageError: Any = typer.BadParameter.__base__
"""Click's class: newer versions of Typer contain Click, older ones depend on it."""
_WIDTH_OF_FILES = 150
_LONG_WORD = re.compile(r"[^\s:;,'\"]{301,}")
_SHOWN = 100
_SIGNS = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\n\t"} | {0x7F: "\u2421"}
_SIGNS |= dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
"""Control characters -> their pictures; C1 controls and changes of direction have none."""
_OF_PATHS = (
    errno.ENAMETOOLONG, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.EROFS, errno.ESPIPE
)  # fmt: skip
"""Faults of a path that a user gave, where no module of ours has looked at it."""


class _Program(TyperGroup):
    """A program whose usage errors are cut and shown like all messages."""

    def make_context(self, *args: Any, **extra: Any) -> Any:
        """See TyperGroup."""
        with _shown_usage_errors():
            return super().make_context(*args, **extra)

    def invoke(self, *args: Any, **extra: Any) -> Any:
        """See TyperGroup; here the arguments of the chosen command are parsed."""
        with _shown_usage_errors():
            return super().invoke(*args, **extra)


@contextmanager
def _shown_usage_errors() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        error.message = shortened(visible(error.message))
        raise


def command_line(name: str, summary: str) -> typer.Typer:
    """A program to which commands are added."""
    return typer.Typer(
        name=name,
        cls=_Program,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def names_plugins(groups: Mapping[str, str]) -> type[TyperCommand]:
    """A class of commands whose help also has the names that other packages add; they are looked up only for it.

    `groups`: option -> group of entry points.
    """

    class Command(TyperCommand):
        """A command with such options."""

        def format_help(self, ctx: Any, formatter: Any) -> None:
            """See TyperCommand."""
            for option in self.params:
                added = [name for given in option.opts if given in groups for name in names_of(groups[given])]
                if isinstance(option, TyperOption) and added:
                    option.help = f"{(option.help or '').rstrip('.')}; of other packages: {', '.join(added)}."
            super().format_help(ctx, formatter)

    return Command


def show_faults(noun: str, faults: Iterable[object]) -> None:
    """Name what other packages add and cannot be used."""
    for fault in faults:
        text = f"warning: {noun} {fault}"
        stderr_console().print(text, style="yellow", markup=False, highlight=False, soft_wrap=True)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorator for commands: print our errors and signals, and set the exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with _standard_streams(), stopped_by_signals():
            try:
                done = _without_missing_libraries(command, *args, **kwargs)
                sys.stdout.flush()
                return done
            except OrzError as error:
                _print_message("error:", str(error), style="bold red")
                raise typer.Exit(2) from None
            except OSError as error:
                if error.errno not in _OF_PATHS or error.filename is None:
                    raise
                text = f"{error.filename}: {error.strerror}; name a file or folder that can be used."
                _print_message("error:", text, style="bold red")
                raise typer.Exit(2) from None
            except MemoryError:
                _print_message("error:", "out of memory; free some, or raise the limit (ulimit -v).", style="bold red")
                raise typer.Exit(2) from None
            except KeyboardInterrupt:
                text = "completed work is saved. Run the same command to resume."
                _print_message("stopped;", text, style="yellow")
                raise typer.Exit(exit_code()) from None

    return wrapped


def _without_missing_libraries(command: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call it; where it imports a library that an extra brings and that is not installed, raise ConfigError."""
    try:
        return command(*args, **kwargs)
    except ModuleNotFoundError as error:
        require_for(error, package=command.__module__.partition(".")[0])
        raise


@reports_errors
def _print_version(program: str) -> None:
    print_result(f"{program} {version_text()}")


def _show_version(context: typer.Context, *, is_wanted: bool) -> None:
    if is_wanted:
        _print_version(context.command.name or "")
        raise typer.Exit


def version_option(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Version and git commit.")
    ] = False,
) -> None:
    """The callback of a program of several commands, which gives it --version."""


def listed(names: Iterable[str]) -> str:
    """`a, b or c`: what an option accepts, for its help."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


DATA_DIR = typer.Option("--data-dir", help="Folder with benchmark files [default: $ORZ_DATA].")
DataDir = Annotated[Path | None, DATA_DIR]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for programs.")]
StepColumn = Annotated[
    str | None,
    typer.Option(
        "--step-column", help="The column of a file's curves with the step [default: step, iteration, ...; see docs]."
    ),
]
Grade = Annotated[bool, typer.Option("--grade", help="Grade what has a gold with our grader too.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Grading processes [default: one per core].")]
AllowWeakIsolation = Annotated[
    bool, typer.Option(help="Run programs even if this machine provides only weak sandboxing.")
]
Baseline = Annotated[
    str | None, typer.Option(help="A model whose published figures are shown beside ours [default: the same model].")
]
DataUntil = Annotated[
    str | None,
    typer.Option(help="The last day of the model's training data (2024-12-31, or a month) [default: as is known]."),
]
SINCE = typer.Option(help="Only benchmarks and questions that became public on this day or later (2025-06-01).")
Former = Annotated[Path | None, typer.Option("--to", hidden=True)]
"""Options that several commands have; the last is what --out was called before, which still works."""


def _print_message(start: str, text: str, *, style: str) -> None:
    """One message on stderr, without secrets and with long words cut."""
    console = stderr_console()
    console.print(start, style=style, end=" ", markup=False, highlight=False)
    console.print(shortened(redact(text)), markup=False, highlight=False, soft_wrap=True)


def shortened(text: str) -> str:
    """The text with every word of more than 300 characters, such as an argument that a message repeats, cut."""
    return _LONG_WORD.sub(lambda word: f"{word[0][:_SHOWN]}...({len(word[0]):,} characters)", text)


def visible(text: str) -> str:
    """The text with a sign for every control character but line breaks and tabs: a terminal would obey it."""
    return text.translate(_SIGNS)


class _Visible:
    """Shows what is rendered without the control characters that are in its texts."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for segment in console.render(self._renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


class _VisibleTexts(RenderHook):
    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [
            each if isinstance(each, Control) else cast("ConsoleRenderable", _Visible(each)) for each in renderables
        ]


def stderr_console() -> Console:
    """A console on stderr, for everything that is not a result."""
    console = Console(stderr=True)
    console.push_render_hook(_VisibleTexts())
    return console


class _Forgiving:
    """A standard stream that discards text once its reader has left or its disk is full."""

    def __init__(self, stream: TextIO, descriptor: int) -> None:
        self.stream, self._descriptor, self._is_broken = stream, descriptor, False

    def write(self, text: str) -> int:
        """See TextIO."""
        self._try(lambda: self.stream.write(text))
        return len(text)

    def flush(self) -> None:
        """See TextIO."""
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
            _discard(self._descriptor)
            with suppress(OSError, ValueError):
                self.stream.flush()  # discard what is still buffered
            self._failed(error)

    def _failed(self, error: OSError | ValueError) -> None:
        """Do nothing: the error cannot be reported."""


class _Results(_Forgiving):
    """stdout: a reader that has left is ignored, but a full disk is reported."""

    def _failed(self, error: OSError | ValueError) -> None:
        if not isinstance(error, BrokenPipeError):
            raise RunDirError(
                f"stdout cannot be written ({error}), so not all results were printed; files are complete. "
                f"Run the command again, or orz-bench report RUN."
            ) from error


@contextmanager
def _standard_streams() -> Iterator[None]:
    """Make sure that stdout and stderr exist, and that writing to them never ends the command."""
    for descriptor, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(descriptor)
        except OSError:  # closed from the start: the next file that is opened would take its number
            _discard(descriptor)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if descriptor == 0 else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # characters missing in the terminal's encoding are escaped
            stream.reconfigure(errors="backslashreplace")
    before = sys.stdout, sys.stderr
    sys.stdout = cast("TextIO", _Results(sys.stdout, 1))
    sys.stderr = cast("TextIO", _Forgiving(sys.stderr, 2))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _discard(descriptor: int) -> None:
    """Point a standard stream to /dev/null, so that flushing at exit does not fail again."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def as_text(renderable: RenderableType) -> str:
    """The renderable as plain text, as written to files."""
    file = io.StringIO()
    Console(file=file, width=_WIDTH_OF_FILES).print(renderable)
    return file.getvalue()


@contextmanager
def libraries_on_stderr() -> Iterator[None]:
    """Redirect what libraries, C++ code included, print to stdout to stderr: stdout holds results alone."""
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
    """Text to stdout, without the control characters that a terminal would obey."""
    sys.stdout.write(f"{visible(text)}{end}")


def result_console() -> Console:
    """A console on stdout."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
    console.push_render_hook(_VisibleTexts())
    return console


class BarDisplay:
    """Dim lines on a console and, on a terminal, a progress bar below them: a context manager."""

    def __init__(self, console: Console, *columns: ProgressColumn, is_transient: bool = False) -> None:
        """`columns`: behind the description, the bar and the counts."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            *columns,
            console=console,
            disable=not console.is_terminal,
            transient=is_transient,
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def notice(self, text: str) -> None:
        """Print a dim line above the bar, without secrets."""
        self._console.print(redact(text), style="dim", markup=False, highlight=False, soft_wrap=True)
