"""The files of curated training data, written by `orz-rl curate` and shown by the app: names, columns, the data card.

A folder with a card is complete. While a curation runs, or after a kill, the parts of its stages are in WORK.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orz_bench.errors import DataError
from orz_bench.records.regular import read_text, require_regular

TRAIN, FATES, PAIRS = "train.jsonl", "fates.parquet", "pairs.parquet"
CARD, CARD_PAGE = "card.json", "card.html"
WORK, PLAN, DONE = "work", "plan.json", "done.json"
"""The folder of an unfinished curation, the file that each has, and the mark in the folder of a finished stage."""
CARD_SCHEMA = 1
DECONTAMINATE = "decontaminate"
"""The stage whose pairs are a row and a question of a benchmark."""
FATE_COLUMNS = pa.schema(
    [
        ("source", pa.string()),
        ("row", pa.string()),
        ("id", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("stage", pa.string()),
        ("fate", pa.string()),
        ("reason", pa.string()),
        ("evidence", pa.string()),
        ("changes", pa.string()),
        ("extra", pa.string()),
        ("number", pa.int64()),
    ]
)
"""Columns of fates.parquet: a line for every row of every source."""
PAIR_COLUMNS = pa.schema(
    [
        ("stage", pa.string()),
        ("method", pa.string()),
        ("similarity", pa.float64()),
        ("verdict", pa.string()),
        ("id", pa.string()),
        ("source", pa.string()),
        ("question", pa.string()),
        ("answer", pa.string()),
        ("other_id", pa.string()),
        ("other_source", pa.string()),
        ("other_question", pa.string()),
        ("other_answer", pa.string()),
    ]
)
"""Columns of pairs.parquet: two similar texts each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A line of pairs.parquet: a row and a similar text, which is another row or a question of a benchmark."""

    stage: str
    method: str
    """How the two were found: exact, normalised, alphanumeric, ngram, minhash or embedding."""
    similarity: float
    """Of the method, from 0 to 1."""
    verdict: str
    """What the curation made of it: `dropped`, or why the row is kept in spite of it, such as `other numbers`."""
    id: str
    source: str
    question: str
    answer: str
    other_id: str
    other_source: str
    """A source, or a benchmark."""
    other_question: str
    other_answer: str


_MOST_CARD_BYTES = 64 * 2**20

_Count = Annotated[int, Field(ge=0)]


class _Read(BaseModel):
    """Other names are those of a later version, or of the card's own page."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class SourceCount(_Read):
    """The rows of one source in a stage."""

    num_in: _Count = Field(alias="in")
    kept: _Count
    reasons: dict[str, _Count]
    """Reason -> rows dropped for it."""


class StageCount(SourceCount):
    """The rows of a stage."""

    name: str
    by_source: dict[str, SourceCount]


class SourceFacts(_Read):
    """A source, and what became of its rows."""

    name: str
    path: str
    licence: str
    sha256: str
    rows: _Count
    kept: _Count


class _Plan(_Read):
    benchmarks: dict[str, str]


class Card(_Read):
    """What the data card says about a whole set."""

    num_rows: _Count
    num_kept: _Count
    seed: int
    sources: Annotated[list[SourceFacts], Field(min_length=1)]
    stages: Annotated[list[StageCount], Field(min_length=1)]
    plan: _Plan


_STAGES = TypeAdapter(list[StageCount])
_BY_REASON = TypeAdapter(dict[str, dict[str, _Count]])


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a set as it was written. DataError for one that is missing, damaged, or of a newer version."""
    path = folder / CARD
    card = read_object(path)
    version = card.get("schema")
    if isinstance(version, int) and version > CARD_SCHEMA:
        raise DataError(
            f"{path}: was written by a newer version (schema {version}, this one reads up to {CARD_SCHEMA}); update "
            f"this installation."
        )
    if version != CARD_SCHEMA:
        raise DataError(f"{path}: is no data card of `orz-rl curate` (schema {version!r:.20}, wanted {CARD_SCHEMA}).")
    return card


def checked_card(folder: Path) -> Card:
    """The card with every value checked. DataError as for read_card, and for values that no card has."""
    card = read_card(folder)
    try:
        return Card.model_validate(card)
    except ValidationError as error:
        raise DataError(f"{folder / CARD}: {_first(error)}; write it again: orz-rl curate --fresh.") from error


def stages_in(card: Mapping[str, Any]) -> list[StageCount]:
    """The stages of a card that this version has made."""
    return _STAGES.validate_python(card["stages"])


def finished_stages(work: Path) -> list[StageCount]:
    """The stages that an unfinished curation has done, in their order. DataError for a damaged mark."""
    return [_stage(path) for path in sorted(work.glob(f"*/{DONE}"))]


def stage_count(name: str, by_source: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """A stage as the card has it, from counts: source -> reason -> rows, the empty reason for rows that are kept."""
    counts = {source: _counts(found) for source, found in by_source.items()}
    reasons: dict[str, int] = {}
    for each in counts.values():
        for reason, count in each["reasons"].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {
        "name": name,
        "in": sum(each["in"] for each in counts.values()),
        "kept": sum(each["kept"] for each in counts.values()),
        "reasons": dict(sorted(reasons.items())),
        "by_source": counts,
    }


def _counts(reasons: Mapping[str, int]) -> dict[str, Any]:
    kept = reasons.get("", 0)
    dropped = {reason: count for reason, count in reasons.items() if reason}
    return {"in": kept + sum(dropped.values()), "kept": kept, "reasons": dropped}


def _stage(path: Path) -> StageCount:
    try:
        by_source = _BY_REASON.validate_python(read_object(path).get("by_source"), strict=True)
        return StageCount.model_validate(stage_count(path.parent.name.partition("-")[2], by_source))
    except ValidationError as error:
        raise DataError(f"{path}: {_first(error)}; start over: orz-rl curate --fresh.") from error


def _damaged(path: Path, why: str) -> DataError:
    return DataError(f"{path}: cannot be read as JSON ({why}); restore it, or curate the set again.")


def read_object(path: Path) -> dict[str, Any]:
    """An object of JSON. DataError for a file that has none, or is too large for one that we wrote."""
    try:
        require_regular(path)
        if (size := path.stat().st_size) > _MOST_CARD_BYTES:
            raise DataError(f"{path}: has {size:,} bytes, at most {_MOST_CARD_BYTES:,} are read.")
        found = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from error
    if not isinstance(found, dict):
        raise _damaged(path, "wanted an object")
    return found


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc'])) or 'it'} is wrong ({fault['msg'][:100]})"
