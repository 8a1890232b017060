"""What the filters of an address name and no rollout of the run has: a list without it would look complete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.queries.filters import Filters
from app.queries.index import RunIndex
from app.queries.selection import Marks

_COLUMNS = {
    "bench": "benchmark", "step": "step", "fingerprints": "fingerprint", "verdicts": "verdict",
    "stop_reasons": "stop_reason", "problem": "problem_id",
}  # fmt: skip
"""The column of the index for each filter on single values."""


def absent(index: RunIndex, filters: Filters, *, marks: Marks) -> dict[str, list[str]]:
    """By filter, the values that no rollout of the run has; a running run may still write some of them."""
    found = {name: _absent(index, column, wanted=_values(filters, name)) for name, column in _COLUMNS.items()}
    found["tags"] = [tag for tag in filters.tags if tag not in marks.tags]
    return {name: values for name, values in found.items() if values}


def _values(filters: Filters, name: str) -> Sequence[Any]:
    value = getattr(filters, name)
    return value if isinstance(value, tuple) else [value] if value else []


def _absent(index: RunIndex, column: str, *, wanted: Sequence[Any]) -> list[str]:
    if not wanted:
        return []
    places = ", ".join("?" * len(wanted))
    rows = index.cursor().execute(
        f"SELECT DISTINCT {column} FROM rollouts WHERE {column} IN ({places})", list(wanted)
    ).fetchall()  # fmt: skip
    known = {value for (value,) in rows}
    return [str(value) for value in wanted if value not in known]
