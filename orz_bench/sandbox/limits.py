"""Records exchanged with the sandbox: programs, limits of a run, and its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Ended = Literal["normally", "exit_code", "signal", "cpu_time", "wall_time", "output", "threads"]
"""How a run ended: its output counts only if it ended normally."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one run of a program."""

    cpu_s: float = 6.0
    """LiveCodeBench's six seconds, but of CPU time: a busy machine does not make a program fail."""
    wall_s: float = 30.0
    """Wall time, for a program that waits. Long, because a correct program also waits on a busy machine."""
    program_wall_s: float = 600.0
    """Wall time for all tests of a program together."""
    memory_gib: float = 4.0
    """Address space."""
    output_bytes: int = 16 * 2**20
    file_bytes: int = 16 * 2**20
    """Size of one file in the private folder; all files together may have 64 MiB."""
    open_files: int = 64
    threads: int = 128
    """Threads at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Python program, or the solution of a problem that asks for a function."""

    source: str
    function: str | None = None
    """None: a program that reads standard input. Otherwise the method of `Solution`, or the function, to call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of one run of a program."""

    ended: Ended
    detail: str
    """The last line of standard error, or the signal's name; may be empty."""
    output: str
    """Standard output; for a function, its value encoded by orz_bench.sandbox.values."""
    cpu_s: float
    was_reused: bool
    """Whether the process had run other tests of the program before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Isolation:
    """The isolation of programs on this machine."""

    namespaces: bool
    """Own user, mount, process, network and IPC namespaces, with a root that has Python and nothing else."""
    seccomp: bool
    """Only system calls that a computing program needs: no processes, sockets, tracing, mounting, keys."""
    landlock: int
    """The version of Landlock in force; 0 if the kernel has none."""
    user: str
    """The user id that programs run under: `nobody`, or the grader's own user if that is not root."""
    why_no_namespaces: str = ""

    @property
    def is_adequate(self) -> bool:
        """Whether hostile programs are contained: system calls are filtered, files invisible or inaccessible."""
        return self.seccomp and (self.namespaces or self.landlock > 0)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Isolation:
        """Read from the supervisor's first message."""
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
