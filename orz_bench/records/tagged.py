"""Which responses of a run people judged, and which of them have a behaviour's tag: behaviours/<behaviour>.json.

Written by `orz-analysis detect --tags`; from these and the stored marks follows how well a detector agrees with people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from orz_bench.errors import RunDirError
from orz_bench.records.parquet import disk_error
from orz_bench.records.run_dir import RunDir, read_json, write_text

FOLDER = "behaviours"
_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedResponse:
    """A response that somebody has seen or tagged."""

    step: int
    problem_id: str
    sample_index: int
    text_hash: int | None
    """None where the file of tags had no texts."""
    has_tag: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedResponses:
    """What people said of one behaviour in one run."""

    tag: str
    responses: tuple[JudgedResponse, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JudgedResponses:
        """The inverse of what is written."""
        names = [each.name for each in fields(JudgedResponse)]
        rows = (JudgedResponse(**{name: row[name] for name in names}) for row in data["responses"])
        return cls(tag=str(data["tag"]), responses=tuple(rows))


def write_judged(run: RunDir, behaviour: str, *, judged: JudgedResponses) -> None:
    """Replace what is kept of this behaviour. RunDirError where the disk refuses."""
    folder = run.path / FOLDER
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise disk_error(folder, error) from error
    rows = [json.dumps(asdict(each), ensure_ascii=False) for each in judged.responses]
    head = json.dumps({"schema_version": _SCHEMA_VERSION, "tag": judged.tag}, ensure_ascii=False)[:-1]
    lines = ",\n    ".join(rows)
    write_text(folder / f"{behaviour}.json", f'{head}, "responses": [\n    {lines}\n]}}\n')


def read_judged(run: RunDir) -> dict[str, JudgedResponses]:
    """By behaviour. RunDirError for a file that is damaged."""
    return {path.stem: _read(path) for path in sorted((run.path / FOLDER).glob("*.json"))}


def _read(path: Path) -> JudgedResponses:
    data = read_json(path)
    if data.get("schema_version") != _SCHEMA_VERSION:
        raise RunDirError(
            f"{path}: has schema version {data.get('schema_version')}, wanted {_SCHEMA_VERSION}; run orz-analysis "
            f"detect --tags again."
        )
    try:
        return JudgedResponses.from_json(data)
    except (KeyError, TypeError, ValueError) as error:
        raise RunDirError(
            f"{path}: not what orz-analysis detect --tags writes ({error!r}); delete it and run that again."
        ) from error
