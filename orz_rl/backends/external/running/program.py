"""Runs a program in a process group of its own, with its output in a log file, and ends the group with this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_BOUND = "import ctypes, os, sys; ctypes.CDLL(None).prctl(1, 15); os.execvp(sys.argv[1], sys.argv[1:])"
"""Starts a program that gets SIGTERM (15) when its parent is killed (PR_SET_PDEATHSIG, 1): nobody would answer it."""
_GRACE_S = 60.0
"""Time to stop Ray and its workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What to run."""

    command: Sequence[str]
    environment: Mapping[str, str]
    """On top of ours."""
    folder: Path
    """Working directory."""
    log: Path


class Running:
    """A program that was started."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, *, begin: int) -> None:
        self._process, self.log, self._begin = process, log, begin

    def exit_code(self) -> int | None:
        """None while it runs; negative after a signal."""
        return self._process.poll()

    def wait(self, seconds: float) -> None:
        """Until it ends, or so long."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def last_lines(self, number: int = 15) -> list[str]:
        """What it wrote last, since this start."""
        content = self.log.read_bytes()[self._begin :].decode("utf-8", errors="replace")
        return [line for line in content.splitlines() if line.strip()][-number:]

    def end(self, *, grace_s: float = _GRACE_S) -> None:
        """Ask the group to end, wait, then kill what is left."""
        for number, seconds in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            self.wait(seconds)


@contextmanager
def started(program: Program) -> Iterator[Running]:
    """Run while the block runs; afterwards the whole process group is ended.

    One that cannot be executed ends at once, with the reason in its log.
    """
    program.log.parent.mkdir(parents=True, exist_ok=True)
    with program.log.open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _BOUND, *program.command],
            cwd=program.folder,
            env=os.environ | dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Running(process, program.log, begin=begin)
    try:
        yield running
    finally:
        running.end()
