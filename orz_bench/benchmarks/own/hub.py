"""The files of `hub:OWNER/NAME` or `hub:OWNER/NAME@REVISION/FILE`: one table of a dataset, by the hub's client."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from orz_bench.benchmarks.own.address import HUB
from orz_bench.errors import DataError, counted
from orz_bench.records.tables import SUFFIXES

_ADDRESS = re.compile(r"hub:(?P<owner>[^/@]+)/(?P<name>[^/@]+)(?:@(?P<revision>[^/]+))?(?:/(?P<file>.+))?")
_SHARD = re.compile(r"-\d{5}-of-\d{5}$")
_MOST_SHOWN = 12


@dataclass(frozen=True, slots=True)
class _HubAddress:
    dataset: str
    revision: str | None
    file: str

    @classmethod
    def of(cls, place: str) -> _HubAddress:
        match = _ADDRESS.fullmatch(place)
        if match is None:
            raise DataError(f"{place}: wanted hub:OWNER/NAME/FILE for one file of a dataset, or hub:OWNER/NAME.")
        return cls(f"{match['owner']}/{match['name']}", match["revision"], (match["file"] or "").strip("/"))


def hub_table(place: str) -> list[Path]:
    """The files of one table, in order: the named one, or the only one that the dataset (or its folder) has.

    DataError where several fit, with their names, or where the hub does not give them.
    """
    address = _HubAddress.of(place)
    if Path(address.file).suffix.lower() in SUFFIXES:
        names = [address.file]
    else:
        names = _only_table(_listed(address, place), address, place=place)
    return [_downloaded(address, name, place=place) for name in names]


def _only_table(files: Sequence[str], address: _HubAddress, *, place: str) -> list[str]:
    """Parts of one table (`test-00000-of-00002.parquet`) belong together."""
    tables: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files):
        path = Path(file)
        if path.suffix.lower() in SUFFIXES:
            tables[_SHARD.sub("", str(path.with_suffix("")))].append(file)
    within = address.file
    fitting = [name for name in tables if not within or name == within or name.startswith(f"{within}/")]
    if len(fitting) == 1:
        return tables[fitting[0]]
    base = f"{HUB}{address.dataset}{f'@{address.revision}' if address.revision else ''}"
    if not fitting:
        there = f"; it has {', '.join([*tables][:_MOST_SHOWN])}" if tables else ""
        raise DataError(
            f"{place}: the dataset has no table here (files that end in {', '.join(SUFFIXES)}){there}. Name one file: "
            f"{base}/FILE."
        )
    shown = ", ".join(fitting[:_MOST_SHOWN]) + (", ..." if len(fitting) > _MOST_SHOWN else "")
    raise DataError(
        f"{place}: the dataset has {counted(len(fitting), 'table')} ({shown}); name one: {base}/{fitting[0]}."
    )


def _listed(address: _HubAddress, place: str) -> list[str]:
    from huggingface_hub import HfApi

    try:
        return list(HfApi().list_repo_files(address.dataset, repo_type="dataset", revision=address.revision))
    except Exception as error:  # whatever the hub's client raises, the user needs the remedy
        raise _refused(place, error) from error


def _downloaded(address: _HubAddress, file: str, *, place: str) -> Path:
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(address.dataset, file, repo_type="dataset", revision=address.revision))
    except Exception as error:  # as above
        raise _refused(place, error) from error


def _refused(place: str, error: Exception) -> DataError:
    reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
    return DataError(
        f"{place}: cannot be downloaded ({reason}). Check the name and the network, or download the file yourself and "
        f"name that."
    )
