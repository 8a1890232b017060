"""Files that another process still writes: only what is new and complete is returned, and a new start is noticed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from orz_bench.records.regular import require_regular

_CHUNK_BYTES = 1 << 22
_MARK_BYTES = 96
"""So many bytes before our place are kept, to notice that a file was written anew and is longer again."""
_ENDS = re.compile(rb"[\r\n]")
RESTARTED = None
"""Stands in the content of a file where it was started anew."""


class GrowingFile:
    """Reads on where it stopped. Keeps the file open, so that what is left of a renamed one is read to its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None
        self._mark = b""

    def read(self) -> Iterator[bytes | None]:
        """The new content in pieces; RESTARTED before the content of a file that was truncated or replaced."""
        status = _status(self.path)
        if self._file is None:
            if status is None:
                return
            self._file = _opened(self.path)
        is_same = status is not None and os.path.samestat(os.fstat(self._file.fileno()), status)
        if status is not None and is_same and not self._continues():
            yield from self._rest_of_copy()
            yield RESTARTED
            self._file.seek(0)
            self._mark = b""
        yield from self._new(self._file)
        if status is not None and not is_same:
            yield RESTARTED
            self._file.close()
            self._file, self._mark = _opened(self.path), b""
            yield from self._new(self._file)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _new(self, file: FileIO) -> Iterator[bytes]:
        while piece := file.read(_CHUNK_BYTES):
            self._mark = (self._mark + piece)[-_MARK_BYTES:]
            yield piece

    def _continues(self) -> bool:
        """Whether the bytes before our place are those that were read."""
        assert self._file is not None
        return _holds(self._file, self._mark, place=self._file.tell())

    def _rest_of_copy(self) -> Iterator[bytes]:
        """What a log rotated by copying (`log` to `log.1`) had got before it was truncated."""
        assert self._file is not None
        place, copy = self._file.tell(), self.path.with_name(f"{self.path.name}.1")
        if _status(copy) is None:
            return
        with _opened(copy) as file:
            if place and _holds(file, self._mark, place=place):
                file.seek(place)
                yield from self._new(file)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _opened(path: Path) -> FileIO:
    """Without a buffer, which would keep what a truncated file no longer has."""
    require_regular(path)
    return FileIO(path)


def _holds(file: FileIO, mark: bytes, *, place: int) -> bool:
    if os.fstat(file.fileno()).st_size < place:
        return False
    return os.pread(file.fileno(), len(mark), place - len(mark)) == mark


class GrowingLines:
    """The complete lines of a growing text; a carriage return ends one too, for progress bars are behind it."""

    def __init__(self, path: Path) -> None:
        self._file = GrowingFile(path)
        self._rest = b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, is_whole: Callable[[str], bool]) -> Iterator[str | None]:
        """New lines without their end; RESTARTED where the file was started anew.

        `is_whole`: of a last line without an end, whether its format shows that it is whole; then it is returned too.
        """
        for piece in self._file.read():
            if piece is None:
                self._rest = b""
                yield RESTARTED
                continue
            *lines, self._rest = _ENDS.split(self._rest + piece)
            yield from (line.decode("utf-8", errors="replace") for line in lines)
        rest = self._rest.decode("utf-8", errors="replace")
        if rest and is_whole(rest):
            self._rest = b""
            yield rest
