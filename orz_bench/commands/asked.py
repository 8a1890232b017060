"""Progress of commands that ask a model about stored responses or about questions, on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from orz_bench.errors import counted
from orz_bench.terminal import BarDisplay, libraries_on_stderr, stderr_console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class Watcher(Protocol):
    """Receives notices, and what becomes of the responses or questions that a model is asked about."""

    def notice(self, text: str) -> None:
        """A sentence for people."""
        ...

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """An evaluation, or a benchmark, begins."""
        ...

    def committed(self, number: int, /) -> None:
        """So many were stored."""
        ...


class AskedDisplay(BarDisplay):
    """A Watcher: a bar of responses or questions on a terminal, and how many are stored already."""

    def __init__(self, console: Console, *, noun: str, done: str) -> None:
        """`done`: how a stored one is called, as in "3 questions are asked already"."""
        super().__init__(console)
        self._noun, self._word_done = noun, done
        self._task: TaskID | None = None

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None:
        """Show a new bar."""
        if num_missing < num_wanted:
            have = counted(num_wanted - num_missing, self._noun, verb=("is", "are"))
            self.notice(f"{name}: {have} {self._word_done} already, {num_missing:,} to go")
        self._task = self._bar.add_task(name, total=num_missing)

    def committed(self, number: int, /) -> None:
        """Advance it."""
        if self._task is not None:
            self._bar.advance(self._task, number)


@contextmanager
def asking(*, noun: str, done: str) -> Iterator[AskedDisplay]:
    """The display while a model is asked, with what libraries print on stderr."""
    with libraries_on_stderr(), AskedDisplay(stderr_console(), noun=noun, done=done) as display:
        yield display
