"""Files that may still grow, as a whole: their stamps and their lines."""

from __future__ import annotations

from pathlib import Path

Stamp = tuple[int, int]
"""Size and time of a file: equal ones mean that it has not changed."""


class NotCompleteError(Exception):
    """A dump is still being written, as far as one can tell."""


def stamp_of(path: Path) -> Stamp | None:
    """Its size and time; None where it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns


def whole_lines(path: Path, *, is_last: bool) -> list[str]:
    """The lines of a file. NotCompleteError where the last one has no end, unless `is_last`."""
    *lines, rest = path.read_bytes().decode("utf-8", errors="replace").split("\n")
    if rest and not is_last:
        raise NotCompleteError(f"{path}: its last line has no end")
    return [*lines, rest] if rest else lines
