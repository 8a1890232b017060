"""The rollout folders of a run: one per training step and one per evaluation, each with its part files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import EvaluationDir, RunDir

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
        )
        for folder in directory.evaluations()
    ]
    training = [
        Folder(kind="train", benchmark=None, step=step, fingerprint="", path=at.path, parts=_parts(at.path))
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


def _parts(folder: Path) -> tuple[Part, ...]:
    return tuple(part for path in part_files(folder) if (part := _part(path)) is not None)


def _part(path: Path) -> Part | None:
    """None for a part that a running writer has just replaced."""
    try:
        status = path.stat()
    except OSError:
        return None
    return Part(path, status.st_size, status.st_mtime_ns)
