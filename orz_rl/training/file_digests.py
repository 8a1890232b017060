"""Size and SHA-256 of every file of a folder, and a later check against them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orz_bench.records.regular import require_regular

_THREADS = 8
"""Hashing releases the interpreter lock, and a checkpoint has one file per rank."""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was written."""

    num_bytes: int
    sha256: str


def records_of(folder: Path) -> dict[str, FileRecord]:
    """The record of every file, by its path in the folder. Syncs every file to disk. Raises OSError."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    with ThreadPoolExecutor(_THREADS) as threads:
        records = list(threads.map(_record, files))
    return {str(file.relative_to(folder)): record for file, record in zip(files, records, strict=True)}


def faults_of(folder: Path, wanted: Mapping[str, FileRecord]) -> list[str]:
    """Descriptions of missing, truncated or changed files. Sizes are compared first, which is fast."""
    return list(wrong_sizes(folder, wanted)) or list(_wrong_contents(folder, wanted))


def wrong_sizes(folder: Path, wanted: Mapping[str, FileRecord]) -> Iterator[str]:
    """Descriptions of missing and truncated files: reads none of them."""
    for name, record in wanted.items():
        path = folder / name
        if not path.is_file():
            yield f"{name} is missing"
        elif path.stat().st_size != record.num_bytes:
            yield f"{name} has {path.stat().st_size:,} bytes, wanted {record.num_bytes:,}"


def _wrong_contents(folder: Path, wanted: Mapping[str, FileRecord]) -> Iterator[str]:
    with ThreadPoolExecutor(_THREADS) as threads:
        found = threads.map(_record, [folder / name for name in wanted])
        for (name, record), now in zip(wanted.items(), found, strict=True):
            if now != record:
                yield f"{name} was changed since it was saved (SHA-256 {now.sha256[:12]}, wanted {record.sha256[:12]})"


def _record(path: Path) -> FileRecord:
    require_regular(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
        return FileRecord(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
