"""The folder for the app's own files (annotations and measures): next to the runs, never inside them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

NAME = ".orz-app"


def side_folder(runs: Path) -> Path:
    """`<runs>/.orz-app`, or a folder of the user for these runs if the runs folder is not writable.

    The last resort, for a user without a home, is a folder for temporary files.
    """
    digest = hashlib.sha256(str(runs.resolve()).encode()).hexdigest()[:16]
    state = Path(os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser())
    candidates = (
        runs / NAME,
        state / "orz-app" / digest,
        Path(tempfile.gettempdir()) / f"orz-app-{os.getuid()}" / digest,
    )
    return next((folder for folder in candidates if _can_write(folder)), candidates[-1])


def _can_write(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
