"""Which sample is whose, on disk: steps have those in their folders, the buffer those that no step has yet.

The buffer is a folder of parts, each removed when steps have all of its rows.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from orz_bench.records import parquet
from orz_bench.records.rollout import Rollout
from orz_bench.records.run_dir import RolloutsDir, RunDir
from orz_rl.config import TrainConfig
from orz_rl.rollout.collector import forget_reduced

POSITION = "position"
"""The key in a row's `extra`: its group's place in the order in which groups are begun."""


def position_of(row: Rollout) -> int:
    """The place of the row's group."""
    position = row.extra[POSITION]
    assert isinstance(position, int)
    return position


def buffer_of(run: RunDir) -> RolloutsDir:
    """The folder for samples that no step has yet."""
    return RolloutsDir(run.path / "buffer")


class Buffer:
    """Written by one thread, shortened by another."""

    def __init__(self, folder: RolloutsDir) -> None:
        self._folder = folder
        self._parts: dict[Path, set[int]] = {}
        self._lock = threading.Lock()

    def append(self, rollouts: Sequence[Rollout]) -> None:
        """Commit these rows as one part."""
        with self._lock:
            path = parquet.write_part(self._folder.path, rollouts)
            self._parts[path] = set(map(position_of, rollouts))

    def load(self) -> list[Rollout]:
        """All rows, in the order in which they were committed. Called once, first."""
        found = []
        with self._lock:
            for path in parquet.part_files(self._folder.path):
                rows = parquet.rows_of_part(path)
                self._parts[path] = set(map(position_of, rows))
                found += rows
        return found

    def clear(self) -> None:
        """Remove all parts."""
        self.forget(lambda _: True)

    def forget(self, is_taken: Callable[[int], bool]) -> None:
        """Remove the parts of which steps have every row."""
        with self._lock:
            for path in [path for path, positions in self._parts.items() if all(map(is_taken, positions))]:
                del self._parts[path]
                path.unlink(missing_ok=True)


def recorded_steps(run: RunDir, config: TrainConfig, *, first: int) -> dict[int, list[int]]:
    """Step -> its groups, for the steps from the first one on that have been taken. Called with the buffer's lock.

    From the first step on of which something is missing (retention has dropped it, or it was moved away), nothing is
    left of later steps and of the buffer: other weights drew them.
    """
    found: dict[int, list[int]] = {}
    later = [(step, folder) for step, folder in run.sampled_steps() if step >= first]
    for wanted, (step, folder) in enumerate(later, start=first):
        positions = _groups_in(folder, config) if step == wanted else None
        if positions is None:
            for stale in (*(each for number, each in later if number >= step), buffer_of(run)):
                _empty(stale)
            break
        found[step] = positions
    return found


def _groups_in(folder: RolloutsDir, config: TrainConfig) -> list[int] | None:
    """The groups of a step in the order of their rows; None if something is missing."""
    with folder.lock():
        forget_reduced(folder)
    extras = folder.read(["extra"])["extra"].to_pylist()
    positions = [json.loads(extra or "{}").get(POSITION) for extra in extras]
    groups = list(dict.fromkeys(positions))
    is_whole = len(extras) == config.num_rollouts and len(groups) == config.rollout.num_problems
    return groups if is_whole and None not in groups else None


def _empty(folder: RolloutsDir) -> None:
    for path in parquet.part_files(folder.path):
        path.unlink()
