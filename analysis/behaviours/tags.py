"""Tags that people gave to responses, from the app's export of rollouts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.behaviours.agreement import Agreement
from analysis.behaviours.marking import Marked
from orz_bench.errors import DataError
from orz_bench.records.marks import Mark
from orz_bench.records.run_dir import RunDir
from orz_bench.records.tables import read_table
from orz_bench.records.tagged import JudgedResponse, JudgedResponses, read_judged, write_judged
from orz_bench.records.text_hash import text_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A response that somebody has seen."""

    step: int
    problem_id: str
    sample_index: int
    text_hash: int | None
    """None for an export without texts."""
    tags: frozenset[str]


def read_tags(path: Path) -> list[Judged]:
    """The rows of an export that somebody has seen or tagged. DataError for a file of another kind, or without any."""
    found = []
    for where, row in read_table(path, strict=False):
        if not isinstance(row, dict) or not {"tags", "seen", "problem_id", "sample_index", "step"} <= row.keys():
            raise DataError(
                f"{path}, {where}: wanted an export of rollouts from the app, with the columns step, problem_id, "
                f"sample_index, seen and tags."
            )
        tags = _tags(row["tags"], where=f"{path}, {where}")
        if tags or _is_true(row["seen"]):
            text = row.get("completion")
            found.append(
                Judged(
                    step=int(row["step"]),
                    problem_id=str(row["problem_id"]),
                    sample_index=int(row["sample_index"]),
                    text_hash=text_hash(text) if isinstance(text, str) else None,
                    tags=tags,
                )
            )
    if not found:
        raise DataError(f"{path}: nobody has seen or tagged one of its responses; judge some in the app first.")
    return found


def agreement_with(judged: list[Judged], found: list[Marked], *, tag: str) -> Agreement:
    """The detector against the tag, on judged responses that it has marked with yes or no."""
    return Agreement.of(
        tag, [(mark.shows, tag in each.tags) for each, mark in _marked(judged, found) if mark.shows is not None]
    )


def keep_judged(run: RunDir, behaviour: str, *, judged: list[Judged], found: list[Marked], tag: str) -> None:
    """Store in the run which of its responses were judged, for readers of the marks; those of other sources stay."""
    now = {
        (each.step, each.problem_id, each.sample_index, mark.text_hash): JudgedResponse(
            step=each.step,
            problem_id=each.problem_id,
            sample_index=each.sample_index,
            text_hash=mark.text_hash,
            has_tag=tag in each.tags,
        )
        for each, mark in _marked(judged, found)
    }
    seen = {(one.source.step, *key, mark.text_hash) for one in found for key, mark in one.marks.items()}
    before = read_judged(run).get(behaviour)
    kept = before.responses if before is not None and before.tag == tag else ()
    others = (each for each in kept if (each.step, each.problem_id, each.sample_index, each.text_hash) not in seen)
    write_judged(run, behaviour, judged=JudgedResponses(tag=tag, responses=(*others, *now.values())))


def stored_agreement(judged: JudgedResponses, found: list[Marked]) -> Agreement:
    """The detector against what is stored of people."""
    responses = [
        Judged(
            step=each.step,
            problem_id=each.problem_id,
            sample_index=each.sample_index,
            text_hash=each.text_hash,
            tags=frozenset({judged.tag} if each.has_tag else ()),
        )
        for each in judged.responses
    ]
    return agreement_with(responses, found, tag=judged.tag)


def _marked(judged: list[Judged], found: list[Marked]) -> Iterator[tuple[Judged, Mark]]:
    """Each judged response with its mark, where it has one of the same text."""
    for each in judged:
        for one in found:
            mark = one.marks.get((each.problem_id, each.sample_index)) if one.source.step == each.step else None
            if mark is not None and each.text_hash in (None, mark.text_hash):
                yield each, mark
                break


def _tags(value: Any, *, where: str) -> frozenset[str]:
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value or []
    except ValueError:
        found = [part.strip() for part in str(value).split(",")]
    if isinstance(found, (str, Mapping)) or not all(isinstance(one, str) for one in found):
        raise DataError(f"{where}: tags are {value!r}, wanted a list of texts.")
    return frozenset(found)


def _is_true(value: Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "1", "yes")
