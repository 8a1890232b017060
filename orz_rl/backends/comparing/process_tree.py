"""CPU seconds of a process and of everything that it starts, read from /proc while they run (Linux).

A process is looked at a few times a second, so what it used after the last look is missed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orz_bench.errors import ConfigError

_LOOK_EVERY_S = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")

_Key = tuple[int, int]
"""Process id and start time: an id alone is given again."""


@dataclass(frozen=True, slots=True)
class Look:
    """One line of /proc/PID/stat."""

    key: _Key
    parent: int
    cpu_s: float


@dataclass(slots=True)
class ProcessTree:
    """The descendants of a process that have been seen, also those whose parent has died."""

    root: int
    _seen: dict[_Key, float] = field(default_factory=dict)

    @property
    def cpu_s(self) -> float:
        """User and system time of all of them together."""
        return sum(self._seen.values())

    def look(self) -> None:
        """Read all processes once."""
        found = {look.key[0]: look for look in map(_look, _process_ids()) if look is not None}
        is_own = {self.root: True}
        for pid in found:
            _mark(pid, found=found, seen=self._seen, is_own=is_own)
        for pid, look in found.items():
            if is_own[pid]:
                self._seen[look.key] = look.cpu_s


def run_measured(
    command: Sequence[str], *, environment: Mapping[str, str], on_look: Callable[[float], None]
) -> tuple[int, float, float]:
    """(exit code, CPU seconds, wall seconds) of a command; `on_look` gets the CPU seconds so far at every look.

    What it prints goes to stderr: stdout is for the result.
    """
    if not _PROC.is_dir():
        raise ConfigError("CPU seconds are read from /proc, which this system does not have; compare on Linux.")
    start = time.perf_counter()
    with subprocess.Popen(command, env=dict(environment), stdout=sys.stderr.fileno()) as process:
        tree = ProcessTree(process.pid)
        try:
            while process.poll() is None:
                tree.look()
                on_look(tree.cpu_s)
                time.sleep(_LOOK_EVERY_S)
        except BaseException:  # a signal to this process alone: the command stops as it would by itself
            process.terminate()
            raise
    return process.returncode, tree.cpu_s, time.perf_counter() - start


def _mark(pid: int, *, found: Mapping[int, Look], seen: Mapping[_Key, float], is_own: dict[int, bool]) -> None:
    """Whether a process and its ancestors descend from the root, or did so when they were seen before."""
    chain = []
    while pid not in is_own and pid in found and found[pid].key not in seen:
        chain.append(pid)
        pid = found[pid].parent
    own = is_own.get(pid, pid in found)
    is_own.setdefault(pid, own)
    is_own.update(dict.fromkeys(chain, own))


def _process_ids() -> list[int]:
    return [int(path.name) for path in _PROC.iterdir() if path.name.isdigit()]


def _look(pid: int) -> Look | None:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended
        return None
    fields = text.rpartition(")")[2].split()  # after the name, which may contain anything
    return Look((pid, int(fields[19])), int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS)
