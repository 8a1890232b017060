"""Runs a program in a process group of its own, its output in a log file, and ends the whole group with this process."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from orz_bench.errors import ConfigError

_PR_SET_PDEATHSIG = 1
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
    """Run while the block runs; afterwards the whole process group is ended. ConfigError if it cannot be started."""
    program.log.parent.mkdir(parents=True, exist_ok=True)
    libc = ctypes.CDLL(None)
    with program.log.open("ab") as log:
        begin = log.tell()
        try:
            process = subprocess.Popen(
                list(program.command),
                cwd=program.folder,
                env=os.environ | dict(program.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                # If this process is killed, so is the program: nobody would answer it.
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
            )
        except OSError as error:
            raise ConfigError(
                f"{program.command[0]}: cannot be started ({error.strerror}); correct its path."
            ) from error
    running = Running(process, program.log, begin=begin)
    try:
        yield running
    finally:
        running.end()
