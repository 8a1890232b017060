"""Measures a run in a separate process, so that no page waits for it and its memory is released afterwards.

`python -m app.queries.measuring RUN ROOT` computes missing measures. One process per run: a second one exits at once.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of

_NICENESS = 10
_started: dict[Path, subprocess.Popen[bytes]] = {}


def start_measuring(files: MeasureFiles) -> None:
    """Start measuring what is missing, unless a process that this server started is running."""
    if is_measuring(files):
        return
    command = [sys.executable, "-m", "app.queries.measuring", str(files.run), str(files.root)]
    root = Path(__file__).parents[2]
    _started[files.root] = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))},
    )


def is_measuring(files: MeasureFiles) -> bool:
    """Whether a process that this server started is running."""
    running = measuring_process(files)
    return running is not None and running.poll() is None


def measuring_process(files: MeasureFiles) -> subprocess.Popen[bytes] | None:
    """The process that this server started last for this run, if any."""
    return _started.get(files.root)


def measure(files: MeasureFiles) -> bool:
    """Measure what is missing in this process; False if another process is measuring."""
    files.root.mkdir(parents=True, exist_ok=True)
    with (files.root / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        files.update(folders_of(files.run))
        return True


def main(arguments: Sequence[str]) -> None:
    """Entry point of the process; arguments: RUN ROOT."""
    os.nice(_NICENESS)
    run, root = arguments
    measure(MeasureFiles(Path(run), Path(root)))


if __name__ == "__main__":
    main(sys.argv[1:])
