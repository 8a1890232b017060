"""The folder for the app's own files (annotations and measures): next to the runs, never inside them."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from pathlib import Path

NAME = ".orz-app"


def side_folder(runs: Path) -> Path:
    """`<runs>/.orz-app`, or a folder of the user for these runs if the runs folder is not writable.

    The last resort, for a user without a home, is a folder for temporary files: one that is the user's own, closed to
    others and no link, or a new one.
    """
    digest = hashlib.sha256(str(runs.resolve()).encode()).hexdigest()[:16]
    state = Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser())
    candidates = (
        runs / NAME,
        state / "orz-app" / digest,
    )
    found = next((folder for folder in candidates if _can_write(folder)), None)
    if found is None:
        found = _temporary(Path(tempfile.gettempdir()) / f"orz-app-{os.getuid()}") / digest
        _can_write(found)
    return found


@functools.cache
def _temporary(folder: Path) -> Path:
    """This folder, or a new one next to it: anybody could have made it before, and would read ours in it."""
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700)
    try:
        status = folder.lstat()
    except OSError:
        status = None
    is_ours = status is not None and stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
    if not is_ours or status is None or status.st_mode & 0o077:
        folder = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    return folder


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
