"""The files of a followed training, found anew in every round: its logs as feeds, and its dumps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from orz_bench.errors import DataError
from orz_bench.records.run_dir import RunDir
from orz_rl.backends.following.tool import Dump, Feed, Tool

_MOST_FILES = 200_000


@dataclass
class FollowedFiles:
    """What a tool has found under the paths so far."""

    tool: Tool
    paths: tuple[Path, ...]
    feeds: dict[Path, Feed] = field(default_factory=dict)
    dumps: dict[Path, Dump] = field(default_factory=dict)
    _belongs: set[Path] = field(default_factory=set)
    _foreign: dict[Path, int] = field(default_factory=dict)
    """Files that were not of this tool, with their size: one that has grown is looked at again."""

    def look(self) -> None:
        """Add what is new. DataError for a path that is missing, or a folder of too many files."""
        for path in files_under(self.paths):
            if path in self._belongs:
                continue
            size = _size(path)
            if self._foreign.get(path) == size:
                continue
            if self._take(path, is_named=path in self.paths):
                self._belongs.add(path)
            else:
                self._foreign[path] = size

    def close(self) -> None:
        """Close all feeds."""
        for feed in self.feeds.values():
            feed.close()

    def sizes(self) -> dict[Path, int]:
        """Of all files of the tool, to see whether any has grown."""
        return {path: _size(path) for path in self._belongs}

    def _take(self, path: Path, *, is_named: bool) -> bool:
        try:
            dump = self.tool.dump(path)
            feed = self.tool.feed(path, is_named=is_named) if dump is None else None
        except OSError:  # it went away, or cannot be read
            return False
        if dump is not None:
            self.dumps[path] = dump
        if feed is not None:
            self.feeds.setdefault(feed.key, feed)
        return dump is not None or feed is not None


def files_under(paths: tuple[Path, ...]) -> Iterator[Path]:
    """These files, and the regular ones in these folders: none that is hidden, linked in, or of a run directory."""
    num_files = 0
    for path in paths:
        if path.is_file():
            yield path
        elif not path.is_dir():
            raise DataError(f"{path}: no such file or folder; name the folder of a training's logs and rollouts.")
        for parent, folders, names in os.walk(path):
            folders[:] = sorted(
                name for name in folders if not name.startswith(".") and not RunDir(Path(parent, name)).exists()
            )
            num_files += len(names)
            if num_files > _MOST_FILES:
                raise DataError(f"{path}: holds more than {_MOST_FILES:,} files; name the folder of one training.")
            yield from (Path(parent, name) for name in sorted(names) if _is_regular(Path(parent, name)))


def _is_regular(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
