"""Locks of folders: for one writer, or for several that count each other. A lock ends with its process in any case."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from orz_bench.records import parquet
from orz_bench.records.regular import read_text

LOCK_NAME = ".lock"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[bool]:
    """Create a folder and lock it against other processes; False if another process holds the lock."""
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
    """Take part as one of several writers of a folder; the function returns whether there are no others.

    None if a process owns the whole folder: this does not wait.
    """
    descriptor = _open(folder)
    try:
        yield (lambda: _take(descriptor, fcntl.LOCK_EX)) if _take(descriptor, fcntl.LOCK_SH) else None
    finally:
        os.close(descriptor)


def holder(folder: Path) -> str:
    """The holder of a folder's lock, in brackets, if it is recorded; otherwise an empty text."""
    try:
        text = read_text(folder / LOCK_NAME, errors="replace").strip()
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
    """Record the owner in a lock file; a full disk is reported elsewhere."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with contextlib.suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}, since {now}".encode(), 0)
