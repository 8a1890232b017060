"""Views of the rollouts that are saved by name beside the runs: filters, columns and groups, as parameters.

One JSON file per view, in `views` of the side folder, with the version of its meaning: a view of a newer version is
named and refused, never half read. Two people at once lose nothing: a name that is taken is not written over unasked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orz_bench.errors import DataError, RecordError

VERSION = 1
"""Of the meaning of a file. A new parameter, or one that means something else, is a new version."""
FOLDER = "views"
MAX_NAME_CHARS = 80
_VERSION = "orz_view"
_MOST_BYTES = 1_000_000
_MOST_VALUES, _MOST_CHARS = 200, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedView:
    """A view of a page."""

    name: str
    page: str
    parameters: Mapping[str, Sequence[str]]
    """Of the page's address, without a run and an open rollout."""
    author: str = ""
    time: str = ""
    """UTC, ISO 8601."""


@dataclass(frozen=True, slots=True)
class SavedViews:
    """The views of a folder, by name, and a sentence about each file that cannot be used."""

    views: Mapping[str, SavedView]
    faults: tuple[str, ...] = ()


def saved_views(side: Path, *, page: str, known: Collection[str]) -> SavedViews:
    """The views of a page; `known` are the parameters that may be in them."""
    found: dict[str, SavedView] = {}
    faults: list[str] = []
    for path in sorted((side / FOLDER).glob("*.json")):
        try:
            view = _read(path, known=known)
        except DataError as error:
            faults.append(str(error))
            continue
        if view.page == page:
            found[view.name] = view
    return SavedViews(dict(sorted(found.items())), tuple(faults))


def save_view(side: Path, view: SavedView, *, replaces: bool = False) -> None:
    """Save it. RecordError for a name that is empty, too long, or taken unless it is replaced."""
    name = " ".join(view.name.split())
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise RecordError(f"the view's name has {len(name)} characters; wanted 1 to {MAX_NAME_CHARS}.")
    path = _path(side, name, page=view.page)
    path.parent.mkdir(exist_ok=True)
    written = {
        _VERSION: VERSION, "name": name, "page": view.page, "author": view.author,
        "parameters": {name: list(values) for name, values in view.parameters.items()},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    if replaces and path.exists():
        _version(path, _object(path))  # a newer one stays
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(written, file, ensure_ascii=False, indent=1)
        if replaces:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)
    except FileExistsError as error:
        raise RecordError(f"a view {name!r} exists already; choose another name, or replace it.") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def delete_view(side: Path, view: SavedView) -> None:
    """Delete it; nothing happens where somebody else has done so."""
    with contextlib.suppress(FileNotFoundError):
        _path(side, view.name, page=view.page).unlink()


def _path(side: Path, name: str, *, page: str) -> Path:
    """The name is anything; that of the file is not."""
    return side / FOLDER / f"{hashlib.sha256(f'{page}/{name}'.encode()).hexdigest()[:16]}.json"


def _read(path: Path, *, known: Collection[str]) -> SavedView:
    found = _object(path)
    _version(path, found)
    texts = {name: found.get(name) for name in ("name", "page", "author", "time")}
    parameters = found.get("parameters")
    if not all(isinstance(text, str) for text in texts.values()) or not _are_parameters(parameters):
        raise _damaged(path, "a name or a parameter is no text")
    assert isinstance(parameters, dict)
    if unknown := sorted(set(parameters) - set(known)):
        raise DataError(f"view {texts['name']!r}: {unknown[0]!r} is no parameter of this page; it is not opened.")
    return SavedView(parameters=parameters, **{name: str(text) for name, text in texts.items()})


def _version(path: Path, found: Mapping[str, Any]) -> None:
    version = found.get(_VERSION)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _damaged(path, f"no {_VERSION}")
    if version > VERSION:
        raise DataError(
            f"view {str(found.get('name', path.name))[:MAX_NAME_CHARS]!r} was saved by a newer version of the app "
            f"(views of version {version}; this one reads up to {VERSION}); it is not opened. Update the app."
        )


def _object(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            raise _damaged(path, "too large, or no file")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, str(error)) from error
    if not isinstance(found, dict):
        raise _damaged(path, "no object")
    return found


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path}: not a saved view ({why}); delete the file, or restore it.")


def _are_parameters(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and len(found) <= _MOST_VALUES
        and all(
            isinstance(values, list)
            and len(values) <= _MOST_VALUES
            and all(isinstance(value, str) and len(value) <= _MOST_CHARS for value in values)
            for values in found.values()
        )
    )
