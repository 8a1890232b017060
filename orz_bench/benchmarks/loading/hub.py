"""Fetch a dataset's files from the hub at one commit, keep their hashes, and verify them at every load."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orz_bench.benchmarks.benchmark import HubDataset
from orz_bench.errors import DataError

CACHE = Path.home() / ".cache" / "orz" / "data"
MANIFEST = "manifest.json"
"""Beside the files of a cached dataset: its repository, its commit and the hash of every file."""
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a dataset as the hub's client stored it, and its commit."""

    path: Path
    commit: str


Download = Callable[[HubDataset, str], HubFile]
"""(dataset, file inside it) -> the file. May raise any exception of its client."""


def hub_files(name: str, hub: HubDataset, *, cache: Path = CACHE, download: Download | None = None) -> list[Path]:
    """The dataset's files from cache/name, each verified; downloaded first where they are not there."""
    manifest = cache / name / MANIFEST
    if not manifest.is_file():
        fetch_to_cache(name, hub, cache=cache, download=download)
    return _verified(manifest)


def fetch_to_cache(name: str, hub: HubDataset, *, cache: Path = CACHE, download: Download | None = None) -> Path:
    """Put the files and their manifest into cache/name, whole or not at all. Raises DataError if the hub refuses."""
    target = cache / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=target.parent))
    try:
        files, commits = {}, set()
        for file in hub.files:
            downloaded = _downloaded(hub, file, download=download or from_hub)
            local = temporary / file.replace("/", "--")
            shutil.copyfile(downloaded.path, local)
            files[local.name] = _sha256(local)
            commits.add(downloaded.commit)
        manifest = {"repo": hub.repo, "commit": sorted(commits), "sha256": files}
        (temporary / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _verified(manifest: Path) -> list[Path]:
    """The files of a cached dataset, in order. DataError if one is not what was fetched."""
    content = json.loads(manifest.read_text(encoding="utf-8"))
    files = [manifest.parent / name for name in content["sha256"]]
    for file in files:
        if not file.is_file() or _sha256(file) != content["sha256"][file.name]:
            raise DataError(
                f"{file}: missing, or not what was fetched from {content['repo']}; "
                f"run: orz-bench data fetch {manifest.parent.name}"
            )
    return files


def from_hub(hub: HubDataset, file: str) -> HubFile:
    """Download one file with huggingface_hub, at the pinned commit."""
    from huggingface_hub import hf_hub_download

    path = Path(hf_hub_download(hub.repo, file, repo_type="dataset", revision=hub.revision, etag_timeout=_TIMEOUT_S))
    parts = path.parts  # .../snapshots/<commit>/<file>
    return HubFile(path, parts[parts.index("snapshots") + 1])


def _downloaded(hub: HubDataset, file: str, *, download: Download) -> HubFile:
    try:
        return download(hub, file)
    except Exception as error:  # the client raises anything; the user needs a remedy
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        gate = _how_to_get_access(hub) if hub.gated else ""
        raise DataError(
            f"{hub.repo}: the hub did not give {file} ({reason}).{gate} Check the network, or download the dataset "
            f"into a folder {hub.folder}, and name the folder above it with --data-dir."
        ) from error


def _how_to_get_access(hub: HubDataset) -> str:
    return (
        f" It is gated: accept its terms at https://huggingface.co/datasets/{hub.repo} with your account, then log in "
        f"(`hf auth login`, or a token of that account in $HF_TOKEN)."
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
