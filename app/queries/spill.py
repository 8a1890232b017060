"""Databases in memory, and the folder for what exceeds it: gigabytes of texts, which no process may leave behind."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import os
import shutil
import tempfile
from pathlib import Path

import duckdb

MEMORY_LIMIT = "1000MB"
_PREFIX = "orz-app-spilled-"
"""Another one than versions had that held no lock: theirs would look abandoned."""


def in_memory() -> duckdb.DuckDBPyConnection:
    """A new database."""
    return duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": spill_folder()})


@functools.cache
def spill_folder() -> str:
    """A folder of this process, with a name that nobody can foresee and closed to others.

    This process holds a lock on it until it ends, however that is. Folders without a holder are removed first.
    """
    folder, descriptor = _held()
    _remove_abandoned()
    atexit.register(_end, folder, descriptor)
    return str(folder)


def _held() -> tuple[Path, int]:
    """A new folder under this process's lock. Where another process removes it before the lock: another one.

    On a file system without locks nobody finds a folder abandoned.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # held, a link, no folder, or gone
            _remove_unless_held(folder)


def _remove_unless_held(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(descriptor)


def _end(folder: Path, descriptor: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(descriptor)
