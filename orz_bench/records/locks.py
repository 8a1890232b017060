"""Locks of folders: one process writes, or several count each other. A lock ends with its process, however it ends."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from orz_bench.records import parquet

LOCK_NAME = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Make a folder and lock it against other processes; False where one holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open(folder)
    except OSError as error:
        raise parquet.disk_error(folder, error) from error
    try:
        is_owner = _take(descriptor, fcntl.LOCK_EX)
        if is_owner:
            _sign(descriptor)
        yield is_owner
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[Callable[[], bool] | None]:
    """Count among those that write in a folder; the function tells whether there is nobody else.

    None where somebody owns the whole folder: nothing waits.
    """
    descriptor = _open(folder)
    try:
        yield (lambda: _take(descriptor, fcntl.LOCK_EX)) if _take(descriptor, fcntl.LOCK_SH) else None
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """Who holds the lock of a folder, in brackets, as far as it wrote that down; else nothing."""
    try:
        text = (folder / LOCK_NAME).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f" ({text[:200]})" if text else ""


def _open(folder: Path) -> int:
    return os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o644)


def _take(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(descriptor: int) -> None:
    """Write into a lock file whose it is; a disk that is full says it elsewhere."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {now}".encode(), 0)
