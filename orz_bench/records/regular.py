"""Files that others made must be regular: reading a pipe, a socket or a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

_KINDS = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}


class NotRegularError(OSError):
    """A folder, a pipe, a socket or a device where a file was wanted; readers treat it as a file they cannot read."""

    def __str__(self) -> str:
        return f"it {self.strerror}"


def require_regular(path: Path) -> None:
    """NotRegularError unless it is a regular file, or a link to one; FileNotFoundError where it is missing."""
    kind = stat.S_IFMT(path.stat().st_mode)
    if kind != stat.S_IFREG:
        raise NotRegularError(
            errno.ESPIPE, f"is {_KINDS.get(kind, 'a device')}, wanted a regular file", os.fspath(path)
        )


def read_text(path: Path, *, errors: str = "strict") -> str:
    """The UTF-8 text of a regular file. OSError, UnicodeDecodeError."""
    require_regular(path)
    return path.read_text(encoding="utf-8", errors=errors)
