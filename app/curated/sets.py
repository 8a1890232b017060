"""Where curated sets are, and in which state: folders that `orz-rl curate` writes, in the runs folder and beside it.

A set's name is its path below `runs` or `data`, so an address means the same for a colleague whose folders lie
elsewhere. No link is followed, and names are only looked up among the sets found.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app.runs.folder import FRESH_S, folders_below, is_locked
from orz_bench.errors import DataError, nearest
from orz_bench.records.curated import CARD, FATES, PAIRS, PLAN, WORK
from orz_bench.records.locks import LOCK_NAME, holder

RUNS, DATA = "runs", "data"
"""How names of sets begin: with the runs folder, and with the folder of data."""
State = Literal["complete", "being written", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetEntry:
    """A curated set, described without reading its files."""

    name: str
    path: Path
    state: State
    modified: float
    """Time of the last write, in seconds since 1970."""

    @property
    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Changes whenever one of its files is replaced."""
        return tuple(
            (name, status.st_size, status.st_mtime_ns)
            for name in (CARD, FATES, PAIRS)
            if (status := _status(self.path / name)) is not None
        )


@dataclass(frozen=True, slots=True)
class SetFolders:
    """The folders that hold sets, by what names begin with."""

    folders: Mapping[str, Path]

    @classmethod
    def of(cls, runs: Path, data: Path | None) -> SetFolders:
        """The runs folder, and the folder of data: by default `data` beside it. DataError for one that is missing."""
        if data is not None and not data.is_dir():
            raise DataError(
                f"{data}: no such folder; name the folder that holds curated sets: orz-app --runs RUNS --data DIR."
            )
        beside = (data or runs.absolute().parent / DATA).absolute()
        return cls({RUNS: runs, DATA: beside} if beside.is_dir() else {RUNS: runs})

    def sets(self) -> list[SetEntry]:
        """All sets, most recently written first; one that is in both folders has the name of the first."""
        found: dict[Path, SetEntry] = {}
        for label, folder in self.folders.items():
            for path in [folder] if _is_set(folder) else folders_below(folder, _is_set):
                name = "/".join([label, *path.relative_to(folder).parts])
                found.setdefault(path.resolve(), _entry(path, name))
        return sorted(found.values(), key=lambda entry: (-entry.modified, entry.name))


def find(name: str, entries: list[SetEntry]) -> SetEntry:
    """The set of that name. DataError if it is not, or no longer, among these."""
    for entry in entries:
        if entry.name == name:
            return entry
    names = [entry.name for entry in entries]
    raise DataError(f"no curated set {name!r} here{nearest(name, names)}; choose one from the list.")


def _is_set(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (CARD, FATES, f"{WORK}/{PLAN}"))


def _entry(path: Path, name: str) -> SetEntry:
    written = [_status(path / file) for file in (CARD, FATES, WORK, f"{WORK}/{PLAN}")]
    written += [_status(stage) for stage in path.glob(f"{WORK}/*")]
    state: State = "complete"
    modified = max((status.st_mtime for status in written if status is not None), default=0.0)
    if not (path / CARD).is_file():
        state = "being written" if _is_written(path, modified) else "stopped"
    return SetEntry(name=name, path=path, state=state, modified=modified)


def _is_written(path: Path, modified: float) -> bool:
    """Whether a process holds the lock, or may do so on another machine, whose locks are not seen here."""
    if is_locked(path / LOCK_NAME):
        return True
    return socket.gethostname() not in holder(path) and time.time() - modified < FRESH_S


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None
