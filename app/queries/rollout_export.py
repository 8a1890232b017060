"""Rollouts of a selection as rows for export, read one page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from app.queries.facts import parsed_object
from app.queries.index import RunIndex
from app.queries.keys import Response, hash_text
from app.queries.rows import MAX_PAGE, page, read_rows
from app.queries.selection import Selection
from orz_bench.records.retention import hash_of_response

MOST_ROWS = 20_000
"""Limit of one export; the Parquet files have all rows."""
_TEXTS = ("question", "gold", "prompt", "completion", "extracted", "why", "second_extractor", "second_extracted")
_FACTS = ("seed", "policy_version", "grader_version", "extra")
_LEFT_OUT = ("id", "key", "preview", *_TEXTS)
_KINDS = ("subject", "category", "type")
"""Fields of a question's `extra` that say of which kind it is, in this order."""
Judged = Callable[[Response], Mapping[str, Any]]
"""The columns of the judgements of a response."""


def selected_rows(
    index: RunIndex, selection: Selection, *, run: Mapping[str, Any], judged: Judged, most: int = MOST_ROWS
) -> Iterator[dict[str, Any]]:
    """The first `most` rollouts of the selection in its order: run, key, judgements, measures, then full texts.

    `run` are the columns that are the same for all. Unknown is None. DataError if a part has been deleted meanwhile.
    """
    for offset in range(0, min(selection.total, most), MAX_PAGE):
        rows = page(index, selection, offset=offset, limit=min(MAX_PAGE, most - offset))
        texts = read_rows(index, [row.id for row in rows], columns=(*_TEXTS, *_FACTS))
        for row, text in zip(rows, texts, strict=True):
            measures = {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in _LEFT_OUT}
            if row.text_hash is None:
                measures["text_hash"] = hash_of_response(text["completion"], text["extra"])
            facts = dict(text) | {"extra": parsed_object(text["extra"]) or None}
            yield {
                **run, **asdict(row.key), "seed": facts.pop("seed"), "subject": _kind(facts["extra"]),
                **judged(Response(row.key, hash_text(measures["text_hash"]))), **measures, **facts,
            }  # fmt: skip


def _kind(extra: Mapping[str, Any] | None) -> Any:
    return next((extra[name] for name in _KINDS if extra and extra.get(name) is not None), None)
