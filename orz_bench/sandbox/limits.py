"""What crosses the border of the sandbox: the limits of a run, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ended = Literal["normally", "exit_code", "signal", "cpu_time", "wall_time", "output", "threads"]
"""How a run ended: what it printed counts only where it ended normally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one run of a program."""

    cpu_s: float = 6.0
    """LiveCodeBench's six seconds, but of the program's own time: a busy machine does not fail a program."""
    wall_s: float = 30.0
    """Of the clock: for a program that waits. Long, because on a busy machine a right program has to wait, too."""
    program_wall_s: float = 600.0
    """Of the clock, for all tests of a program together."""
    memory_gib: float = 4.0
    """Of address space."""
    output_bytes: int = 16 * 2**20
    file_bytes: int = 16 * 2**20
    """Of one file in the private folder; all of them together may hold 64 MiB."""
    open_files: int = 64
    threads: int = 128
    """At one time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python program, or the solution of a problem that wants a function."""

    source: str
    function: str | None = None
    """None: a program that reads standard input. Else the method of `Solution`, or the function, that is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one run of a program amounted to."""

    ended: Ended
    detail: str
    """The last line that the program wrote to standard error, or the signal's name; may be empty."""
    output: str
    """Standard output; for a function, its value as orz_bench.sandbox.values writes it."""
    cpu_s: float
    was_reused: bool
    """Whether the process had run other tests of the program before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """What keeps a program in, on this machine."""

    namespaces: bool
    """Own user, mount, process, network and IPC namespaces, with a root that holds Python and nothing else."""
    seccomp: bool
    """Only system calls that a computing program needs: no processes, sockets, tracing, mounting, keys."""
    landlock: int
    """The version of Landlock in force; 0 where the kernel has none."""
    user: str
    """Who programs are for the machine: `nobody`, or the grader's own user where that is not root."""
    why_no_namespaces: str = ""

    @property
    def is_adequate(self) -> bool:
        """Whether hostile programs are kept in: system calls are filtered, and files are out of sight or reach."""
        return self.seccomp and (self.namespaces or self.landlock > 0)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Isolation:
        """From the supervisor's first message."""
        return cls(**data)

    def __str__(self) -> str:
        has = {
            "namespaces (user, mount, process, network, IPC)": self.namespaces,
            "a seccomp filter": self.seccomp,
            f"Landlock {self.landlock}": self.landlock > 0,
        }
        missing = {"namespaces": self.namespaces, "seccomp": self.seccomp, "Landlock": self.landlock > 0}
        text = ", ".join([*(name for name, is_there in has.items() if is_there), "resource limits"])
        lacking = [name for name, is_there in missing.items() if not is_there]
        text += f", as {self.user}"
        reason = f" ({self.why_no_namespaces})" if self.why_no_namespaces else ""
        return text + (f"; without {' and '.join(lacking)}{reason}" if lacking else "")
