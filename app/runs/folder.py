"""The runs folder: its runs and their states, and the only way from a name in an address to a path.

A run is a folder with run.json, at most three levels down. A symbolic link to a run counts as a run, because somebody
with write access put it there. No other link is followed, and names are only looked up among the runs found, so that
no parameter of an address can lead outside.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Literal

from orz_bench.errors import RunDirError, nearest
from orz_bench.records.origin import Origin, origin_at
from orz_bench.records.run_dir import RunDir

State = Literal["running", "finished", "failed", "crashed"]

MAX_DEPTH = 3
FRESH_S = 600.0
"""A run without an end mark or a local lock that was written this recently may be running on another machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """A run in the folder, described without opening its data."""

    name: str
    """Its path below the folder, with slashes: its name in addresses."""
    path: Path
    state: State
    modified: float
    """Time of the last write, in seconds since 1970."""
    origin: Origin = field(default_factory=Origin)
    """The run that it was made from, and the control of its rewards."""

    @property
    def title(self) -> str:
        """Its name for people: with the control of its rewards, and the run whose rollouts it learns."""
        return self.name + self.origin.suffix

    @property
    def is_growing(self) -> bool:
        """Whether the run may still be written."""
        return self.state == "running"


@dataclass(frozen=True, slots=True)
class RunsFolder:
    """A folder of runs. `path` is absolute."""

    path: Path

    @classmethod
    def at(cls, path: Path) -> RunsFolder:
        """The folder; RunDirError if there is none."""
        try:
            is_folder = path.is_dir()
        except OSError:  # a name that is too long, or a folder above that may not be read
            is_folder = False
        if not is_folder:
            raise RunDirError(
                f"{path}: no such folder; name the folder that holds your runs: orz-app --runs DIR, or set ORZ_RUNS."
            )
        return cls(path.absolute())

    def runs(self) -> list[RunEntry]:
        """All runs, most recently written first. A folder that is itself a run contains just that one."""
        locked = _locked_inodes()
        if RunDir(self.path).exists():
            return [_entry(self.path, self.path.name, locked=locked)]
        found = (
            _entry(path, path.relative_to(self.path).as_posix(), locked=locked)
            for path in folders_below(self.path, lambda path: RunDir(path).exists(), follow_links=True)
        )
        return sorted(found, key=lambda entry: (-entry.modified, entry.name))

    def find(self, name: str) -> RunEntry:
        """The run of that name. RunDirError for any name that is not a run found here, such as `../x`."""
        runs = self.runs()
        for entry in runs:
            if entry.name == name:
                return entry
        raise RunDirError(no_such_run(name, [entry.name for entry in runs]))


def no_such_run(name: str, names: Sequence[str]) -> str:
    """Error message for a name that is not among these."""
    return f"no run {name!r} in this folder{nearest(name, names)}; choose one from the list."


def folders_below(
    folder: Path, is_wanted: Callable[[Path], bool], *, depth: int = MAX_DEPTH, follow_links: bool = False
) -> Iterator[Path]:
    """The wanted folders at most so many levels down, in order of names; nothing is searched inside them.

    `follow_links`: a symbolic link to a wanted folder counts as one. No other link is followed.
    """
    try:
        with os.scandir(folder) as entries:
            children = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    for child in children:
        if child.name.startswith(".") or not child.is_dir(follow_symlinks=follow_links):
            continue
        path = Path(child.path)
        if is_wanted(path):
            yield path
        elif depth > 1 and not child.is_symlink():
            yield from folders_below(path, is_wanted, depth=depth - 1, follow_links=follow_links)


def _entry(path: Path, name: str, *, locked: frozenset[tuple[int, int]]) -> RunEntry:
    directory = RunDir(path)
    written = [_modified(file) for file in (directory.run_path, directory.metrics_path, directory.events_path)]
    written += [_modified(path / "rollouts"), _modified(path / "DONE"), _modified(path / "FAILED")]
    evaluations = list((path / "evals").glob("*/step=*/*"))
    written += [_modified(evaluation) for evaluation in evaluations]
    modified, origin = max(written), _origin(directory, _modified(directory.run_path), _modified(directory.config_path))
    ended = directory.state()
    if ended != "open":
        state: State = "finished" if ended == "done" else "failed"
        return RunEntry(name=name, path=path, state=state, modified=modified, origin=origin)
    locks = [path / ".lock", *(evaluation / ".lock" for evaluation in evaluations)]
    is_running = any(_inode(lock) in locked for lock in locks) or time.time() - modified < FRESH_S
    state = "running" if is_running else "crashed"
    return RunEntry(name=name, path=path, state=state, modified=modified, origin=origin)


@lru_cache(maxsize=4096)
def _origin(directory: RunDir, *modified: float) -> Origin:
    """As its files say, which are read again when one of them has changed."""
    del modified
    return origin_at(directory)


def is_locked(lock: Path) -> bool:
    """Whether a process on this machine holds a lock; trying to take it would disturb its owner."""
    return _inode(lock) in _locked_inodes()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _locked_inodes(table: Path = Path("/proc/locks")) -> frozenset[tuple[int, int]]:
    """(device, inode) of all locked files on this machine; trying to lock a file would disturb its owner."""
    try:
        lines = table.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    places = (field for line in lines for field in line.split() if field.count(":") == 2)
    found = set()
    for place in places:
        major, minor, inode = place.split(":")
        try:
            found.add((os.makedev(int(major, 16), int(minor, 16)), int(inode)))
        except ValueError:
            continue
    return frozenset(found)
