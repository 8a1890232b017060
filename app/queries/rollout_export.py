"""Rollouts of a selection as rows for export, read one page at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from app.queries.index import RunIndex
from app.queries.rows import MAX_PAGE, page, read_rows
from app.queries.selection import Selection

MOST_ROWS = 20_000
"""Limit of one export; the Parquet files have all rows."""
_TEXTS = ("question", "gold", "prompt", "completion", "extracted", "why", "second_extractor", "second_extracted")
_LEFT_OUT = ("id", "key", "preview", *_TEXTS)


def selected_rows(index: RunIndex, selection: Selection, *, most: int = MOST_ROWS) -> Iterator[dict[str, Any]]:
    """The first `most` rollouts of the selection in its order: key, measures, then full texts. Unknown is None.

    DataError if a part has been deleted meanwhile.
    """
    for offset in range(0, min(selection.total, most), MAX_PAGE):
        rows = page(index, selection, offset=offset, limit=min(MAX_PAGE, most - offset))
        texts = read_rows(index, [row.id for row in rows], columns=_TEXTS)
        for row, text in zip(rows, texts, strict=True):
            measures = {name: getattr(row, name) for name in row.__dataclass_fields__ if name not in _LEFT_OUT}
            yield asdict(row.key) | measures | {name: text[name] for name in _TEXTS}
