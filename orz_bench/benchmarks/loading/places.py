"""Where a dataset's files are: a file or a downloaded dataset in a data folder, the local cache, or the hub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.benchmarks.benchmark import HubDataset
from orz_bench.benchmarks.loading.hub import MANIFEST, hub_files
from orz_bench.errors import DataError, counted

_PLACES = ("", "eval", "eval/orz_format", "orz_format")
"""Folders within a data folder in which files are looked for."""
_SUFFIXES = (".jsonl", ".json", ".parquet", ".csv")
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a dataset, in order."""

    paths: list[Path]
    source: str
    """Where they are, for display."""
    parts: tuple[str, ...] = ()
    """The name of each inside the dataset; empty for a single file of a data folder."""


def find_local(
    local_names: Sequence[str], hub: HubDataset | None, *, folders: Sequence[Path], cached: Path
) -> Path | None:
    """What there is without the hub, for display: a file, a downloaded dataset's folder, or the cache's manifest."""
    found = _in_folders(local_names, hub, folders=folders)
    if isinstance(found, Path):
        return found
    if found is not None:
        return Path(found.source)
    return cached / MANIFEST if (cached / MANIFEST).is_file() else None


def find_files(
    local_names: Sequence[str], hub: HubDataset | None, *, folders: Sequence[Path], cached: Path
) -> Files | None:
    """The first that exists, by folder, then by place in it, then by name; last the hub's, verified. None: neither.

    DataError for a data folder that is not there, a downloaded dataset that lacks files, or a hub that refuses.
    """
    found = _in_folders(local_names, hub, folders=folders)
    if isinstance(found, Path):
        return Files([found], str(found))
    if found is not None or hub is None:
        return found
    return Files(hub_files(cached.name, hub, cache=cached.parent), str(cached / MANIFEST), hub.files)


def _in_folders(local_names: Sequence[str], hub: HubDataset | None, *, folders: Sequence[Path]) -> Path | Files | None:
    for folder in folders:
        if not folder.is_dir():
            raise DataError(f"{folder}: no such data folder; check --data-dir and $ORZ_DATA.")
    names = [f"{name}{suffix}" for name in local_names for suffix in _SUFFIXES]
    for folder in folders:
        places = [folder / place for place in _PLACES]
        file = next((path for place in places for name in names if (path := place / name).is_file()), None)
        if file is not None:
            return file
        if hub is not None and (downloaded := next(_downloaded(hub, places), None)) is not None:
            return downloaded
    return None


def _downloaded(hub: HubDataset, places: Sequence[Path]) -> Iterator[Files]:
    """The dataset as `hf download` puts it into a folder of its name, or of its owner and name."""
    for root in (place / name for place in places for name in (hub.folder, hub.repo)):
        paths = [root / file for file in hub.files]
        missing = [file for file, path in zip(hub.files, paths, strict=True) if not path.is_file()]
        if len(missing) == len(paths):
            continue
        if missing:
            more = ", ..." if len(missing) > _MOST_NAMED else ""
            raise DataError(
                f"{root}: {counted(len(missing), 'file')} of {len(paths)} of {hub.repo} missing "
                f"({', '.join(missing[:_MOST_NAMED])}{more}); download the dataset again (hf download {hub.repo} "
                f"--repo-type dataset --revision {hub.revision} --local-dir {root})."
            )
        yield Files(paths, str(root), hub.files)
