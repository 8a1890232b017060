"""The rollout folders of a run: one per training step and one per evaluation, each with its part files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orz_bench.errors import OrzError
from orz_bench.records.parquet import part_files
from orz_bench.records.regular import require_regular
from orz_bench.records.run_dir import EvaluationDir, RolloutsDir, RunDir
from orz_bench.records.values import ValuesDir, assessed_folder, values_beside

Kind = Literal["eval", "train"]


@dataclass(frozen=True, slots=True)
class Part:
    """One part file at the time it was read; a replaced file has another stamp."""

    path: Path
    size: int
    mtime_ns: int

    @property
    def stamp(self) -> str:
        """`part-000000-<size>-<time>`: changes whenever the file changes."""
        return f"{self.path.stem}-{self.size}-{self.mtime_ns}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Rollouts that belong together: samples in different folders are never in one group or duplicates."""

    kind: Kind
    benchmark: str | None
    """Benchmark of an evaluation; training rows name their own."""
    step: int
    fingerprint: str
    """Fingerprint of the protocol; empty in training."""
    path: Path
    parts: tuple[Part, ...]
    values: tuple[Part, ...] = ()
    """Parts with the values of the critic that assessed these rollouts last, if one has."""


def folders_of(run: Path) -> list[Folder]:
    """All rollout folders of a run with a finished part: evaluations first, each kind by step."""
    directory = RunDir(run)
    evaluations = [
        Folder(
            kind="eval",
            benchmark=folder.benchmark,
            step=folder.step,
            fingerprint=folder.fingerprint,
            path=folder.path,
            parts=_parts(folder.path),
            values=_values(folder.path),
        )
        for folder in directory.evaluations()
    ]
    training = [
        Folder(
            kind="train",
            benchmark=None,
            step=step,
            fingerprint="",
            path=at.path,
            parts=_parts(at.path),
            values=_values(at.path),
        )
        for step, at in directory.sampled_steps()
    ]
    return [folder for folder in [*evaluations, *training] if folder.parts]


def num_summarised(folder: Folder) -> int | None:
    """Number of samples that the folder's summary counts; None without a readable one."""
    if folder.kind == "train":
        return None
    try:
        found = json.loads(EvaluationDir(folder.path).summary_path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    number = found.get("num_samples") if isinstance(found, dict) else None
    return number if isinstance(number, int) else None


def values_folders(folder: Path) -> list[ValuesDir]:
    """The values that critics gave to the rollouts of a folder, those that were computed last first.

    Samples that were graded again have the values of the folder that they come from.
    """
    beside = values_beside(RolloutsDir(folder))
    if not beside:
        try:
            beside = values_beside(assessed_folder(EvaluationDir(folder)))
        except OrzError:  # a protocol.json that cannot be read: the page says so elsewhere
            return []
    return sorted(beside, key=_age)


def _age(values: ValuesDir) -> int:
    return -max((part.mtime_ns for part in values_parts(values)), default=0)


def values_parts(values: ValuesDir) -> tuple[Part, ...]:
    """Its parts that are regular files."""
    return tuple(part for part in _parts(values.path) if _is_regular(part.path))


def _values(folder: Path) -> tuple[Part, ...]:
    found = values_folders(folder)
    return values_parts(found[0]) if found else ()


def _is_regular(path: Path) -> bool:
    try:
        require_regular(path)
    except OSError:
        return False
    return True


def _parts(folder: Path) -> tuple[Part, ...]:
    return tuple(part for path in part_files(folder) if (part := _part(path)) is not None)


def _part(path: Path) -> Part | None:
    """None for a part that a running writer has just replaced."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Part(path, status.st_size, status.st_mtime_ns)
