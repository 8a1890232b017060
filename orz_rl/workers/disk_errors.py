"""Turns the libraries' errors for a full or failing disk into RunDirError."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orz_bench.errors import OrzError, RunDirError
from orz_bench.records.parquet import disk_error

_FULL_BYTES = 1 << 20


@contextmanager
def raises_disk_errors(folder: Path) -> Iterator[None]:
    """Raise RunDirError if the code inside cannot write into the folder.

    safetensors, torch and DeepSpeed each have their own exceptions for a full disk, some without saying so.
    """
    try:
        yield
    except OrzError:
        raise
    except OSError as error:
        raise disk_error(folder, error) from error
    except Exception as error:
        reason = " ".join(str(error).split())
        if "os error 28" in reason or "No space left" in reason or _is_full(folder):
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            raise disk_error(folder, full) from error
        raise RunDirError(
            f"{folder}: the checkpoint could not be written ({type(error).__name__}: {reason[:300]}). The previous one "
            f"is complete; run the same command to resume from it."
        ) from error


def _is_full(folder: Path) -> bool:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < _FULL_BYTES or (found.f_files > 0 and found.f_favail == 0)
