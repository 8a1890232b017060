"""The training data that Open-Reasoner-Zero published: their source, and their download.

The files of the publisher's repository are identified by content (git's id of a file is a hash of all of it). The
publisher's copies on the hub are not pinned: a downloaded file is compared, and the result is reported.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from orz_bench.errors import ConfigError, DataError, nearest

PUBLISHER = "Open-Reasoner-Zero"
LICENCE = "MIT"
COMMIT = "3fdd9a07b4fb01e06005e6e74fc56690cde8a341"
"""Commit of github.com/Open-Reasoner-Zero/Open-Reasoner-Zero, June 2025."""
FOLDER = Path("data")
"""Folder from which the recipes read the files, relative to the working directory."""
_TIMEOUT_S = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedData:
    """One file of training problems."""

    file: str
    """File name in the publisher's repository and in the recipes."""
    about: str
    dataset: str
    """Hub dataset, which contains one JSON file."""
    git_blob: str
    """Git's SHA-1 of the content in the publisher's repository at COMMIT."""

    @property
    def address(self) -> str:
        """URL of this file in the publisher's repository."""
        return f"https://github.com/{PUBLISHER}/{PUBLISHER}/raw/{COMMIT}/data/{self.file}"


PUBLISHED_DATA: Mapping[str, PublishedData] = MappingProxyType(
    {
        "orz-57k": PublishedData(
            file="orz_math_57k_collected.json",
            about="57k problems of AIME (to 2023), MATH, NuminaMath and Tulu 3; all recipes",
            dataset="Open-Reasoner-Zero/orz_math_57k_collection",
            git_blob="08812d4a47aadf8fa80a43f11431e6d41ba55b64",
        ),
        "orz-72k": PublishedData(
            file="orz_math_72k_collection_extended.json",
            about="72k more, mainly of OpenR1-Math-220k; orz_32b",
            dataset="Open-Reasoner-Zero/orz_math_72k_collection_extended",
            git_blob="692af2e8184c5a5ec6e9161abd89cdf561a1cb71",
        ),
        "orz-13k-hard": PublishedData(
            file="orz_math_13k_collection_hard.json",
            about="13k of these that were hard for ORZ-32B; orz_32b_anneal",
            dataset="Open-Reasoner-Zero/orz_math_13k_collection_hard",
            git_blob="136948e32ffd26e3988f9b9fc7be30b5626619bb",
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PresentFile:
    """A training file on this machine."""

    path: Path
    sha256: str
    is_published_content: bool
    """Whether it equals the file of the publisher's repository byte for byte."""
    is_new: bool


def get_published(name: str) -> PublishedData:
    """The training data of a name. Raises ConfigError for an unknown name."""
    if name not in PUBLISHED_DATA:
        raise ConfigError(f"{name}: unknown training data{nearest(name, PUBLISHED_DATA)}; wanted one of "
                          f"{', '.join(PUBLISHED_DATA)}.")  # fmt: skip
    return PUBLISHED_DATA[name]


def fetch_published(name: str, *, folder: Path = FOLDER) -> PresentFile:
    """Download the file from the hub into `folder`, completely or not at all; an existing file is not changed.

    Raises DataError if the download fails, or the dataset does not contain exactly one JSON file.
    """
    data = get_published(name)
    path = folder / data.file
    if path.exists():
        return _fetched(data, path, is_new=False)
    downloaded = _download(data)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(prefix=f".{data.file}-", dir=folder, delete=False) as unfinished:
            temporary = Path(unfinished.name)
        try:
            shutil.copyfile(downloaded, temporary)
            temporary.chmod(0o644)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); make room, or name another folder with --to."
        ) from error
    return _fetched(data, path, is_new=True)


def is_published_content(data: PublishedData, path: Path) -> bool:
    """Whether a file has the content of the publisher's repository."""
    digest = hashlib.sha1(usedforsecurity=False)
    digest.update(f"blob {path.stat().st_size}\0".encode())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == data.git_blob


def where_from(path: Path) -> str:
    """For a message about a missing file: where to get it; empty for a file that is not a published one."""
    for name, data in PUBLISHED_DATA.items():
        if path.name == data.file:
            remedy = f"`orz-rl data fetch {name}`" + ("" if path.parent == FOLDER else f" --to {path.parent}")
            return (
                f" {PUBLISHER} published it (licence {LICENCE}): {remedy} downloads it from the hub's dataset "
                f"{data.dataset}; the file itself is {data.address}."
            )
    return ""


def _download(data: PublishedData) -> Path:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        files = HfApi().list_repo_files(data.dataset, repo_type="dataset")
        found = [file for file in files if file.endswith(".json") and "/" not in file]
        if len(found) == 1:
            return Path(hf_hub_download(data.dataset, found[0], repo_type="dataset", etag_timeout=_TIMEOUT_S))
    except Exception as error:  # whatever the hub's client raises, the user needs the remedy
        reason = next(iter(str(error).strip().splitlines()), "") or type(error).__name__
        raise DataError(
            f"{data.dataset}: cannot be downloaded from the hub ({reason}). Check the network, or download "
            f"{data.address} "
            f"and save it as {FOLDER / data.file}."
        ) from error
    raise DataError(
        f"{data.dataset}: found {len(found)} JSON files ({', '.join(found) or 'none'}), wanted one. Name the right one "
        f"as data.source=hub:{data.dataset}/FILE, or download {data.address}."
    )


def _fetched(data: PublishedData, path: Path, *, is_new: bool) -> PresentFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return PresentFile(path, sha256, is_published_content(data, path), is_new)
