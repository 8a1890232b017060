"""The log files of worker processes: written by each process, quoted in the error message when one dies.

A log is continued by every start of a run. Only the lines of the present start are quoted, without those that say
nothing about the death: messages of libraries below errors, and native stack frames.
"""

from __future__ import annotations

import faulthandler
import os
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

_MOST_LINES = 15
_FATAL = "Fatal Python error"
_LEVEL = r"(DEBUG|INFO|WARNING)\b"
_NOISE = re.compile(
    r"process \d+ on node "  # the mark of a start
    r"|\s*@ +0x[0-9a-f]+"  # a native stack frame
    r"|PC: @"
    r"|\[[\d-]+ [\d:,.]+ [A-Z] \d+ \d+\]"  # Ray's native log
    r"|\(raylet\)"
    rf"|(\([^)]*\) )?\[[\d-]+ [\d:,.]+\] \[{_LEVEL}"  # DeepSpeed
    rf"|(\([^)]*\) )?[\d-]+ [\d:,.]+\s+(- )?{_LEVEL}"  # Ray's Python log
    rf"|(\([^)]*\) )?{_LEVEL} [\d-]+ [\d:]+ "  # vLLM
    r"|\S+\.py:\d+: \w*Warning: "
    r"|  warnings\.warn\("
    r"|Extension modules: "
)
"""How a line starts that is not quoted."""


def write_output_to(log: str) -> None:
    """Redirect stdout and stderr of this Ray actor's process to a file, native crashes included, and mark the start."""
    import ray

    Path(log).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    faulthandler.enable(all_threads=False)
    node, now = ray.get_runtime_context().get_node_id(), datetime.now(UTC).isoformat(timespec="seconds")
    print(f"process {os.getpid()} on node {node}, started {now}", flush=True)  # noqa: T201 - it goes to the log


class ProcessLogs:
    """The logs of one start of a run, as seen by the process that starts the workers."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._sizes: dict[str, int] = {}

    def open(self, name: str) -> str:
        """The log file of a process that is about to start; what is in it now belongs to earlier starts."""
        path = self._path(name)
        self._sizes[name] = path.stat().st_size if path.exists() else 0
        return str(path)

    def last_words(self, names: Iterable[str]) -> str:
        """What each process of this start wrote last."""
        return "\n".join(self._last_words(name) for name in names)

    def _last_words(self, name: str) -> str:
        path = self._path(name)
        if not path.exists():
            return f"{name}: no log on this machine; look for {path} on the node where it ran."
        lines = last_lines(path, since=self._sizes.get(name, 0))
        if not lines:
            return f"{name} wrote nothing about it ({path})."
        return f"{name} last wrote ({path}):\n" + "\n".join(f"  {line}" for line in lines)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.log"


def last_lines(log: Path, *, since: int) -> list[str]:
    """At most 15 lines that were written after the first `since` bytes: from a fatal error on, else the last ones."""
    content = log.read_bytes()
    own = content[since if since <= len(content) else 0 :].decode("utf-8", errors="replace").splitlines()
    lines = [line for line in own if line.strip() and not _NOISE.match(line)]
    fatal = [index for index, line in enumerate(lines) if line.startswith(_FATAL)]
    return lines[fatal[-1] :][:_MOST_LINES] if fatal else lines[-_MOST_LINES:]
