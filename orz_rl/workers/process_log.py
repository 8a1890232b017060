"""What a worker process prints goes to a file of the run, from which its last lines are told when it dies."""

from __future__ import annotations

import faulthandler
import os
import sys
from pathlib import Path

_LINES = 15


def write_output_to(log: str) -> None:
    """Let everything that this process prints go to a file, native crashes included."""
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(file, 1)
    os.dup2(file, 2)
    faulthandler.enable()


def last_lines(log: Path) -> list[str]:
    """The end of a log."""
    return log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES:]
