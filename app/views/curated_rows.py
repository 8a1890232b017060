"""The rows of a curated set: filters, the list, and one row with its evidence and the texts that it is like."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.curated.fates import FateRow, fates_of, rows_at
from app.curated.pairs import Pair, pairs_file, pairs_of
from app.curated.sets import SetEntry
from app.curated.state import DataState
from app.markdown import escaped, plain
from app.queries.search import MAX_PATTERN_CHARS
from app.views import address
from app.views.curated_list import as_listed, change_filters, draw_list, neighbours
from app.views.curated_tables import row_counts, row_place, row_places
from app.views.shown import showing
from app.views.texts import show_facts, show_question
from orz_bench.errors import counted
from orz_bench.records.curated import PAIRS

_MOST_NAME_CHARS = 400
"""Of an id in the address; a row with a longer one is named by its place."""
_PREVIEW_CHARS = 300
_LABELS = {"outcome": "Verdict of the curation"}


def rows_view(entry: SetEntry, state: DataState) -> None:
    """Draw the view."""
    _filters(entry, state)
    places = row_places(entry, state)
    found = row_place(str(entry.path), entry.stamp, wanted=state.id) if state.id else None
    listed = as_listed("id", places, named=state.id, current=found)
    st.markdown(f"**{len(places):,}** {'row' if len(places) == 1 else 'rows'}")
    if state.id and listed.current is None:
        st.warning(
            escaped(
                f"No row {state.id!r} in this set: wanted an id of fates.parquet, SOURCE:ROW such as "
                f"'deepscaler:line 7', or # and the place in the file."
            )
        )
    if not len(places):
        st.info("No row matches these filters. Relax one of them.")
    if not len(places) and listed.current is None:
        return
    with st.container(key="list-and-reader"):
        left, right = st.columns([5, 6], gap="medium")
    with left:
        draw_list(listed, frame=lambda chosen: _frame(entry, chosen), columns=_columns())
    with right:
        neighbours(listed, lambda place: name_of(rows_at(fates_of(entry.path), [place])[0]))
        if listed.current is not None:
            _row(entry, rows_at(fates_of(entry.path), [listed.current])[0])


def name_of(row: FateRow) -> str:
    """What names a row in the address."""
    return row.id if 0 < len(row.id) <= _MOST_NAME_CHARS else f"#{row.place}"


def _filters(entry: SetEntry, state: DataState) -> None:
    counts = row_counts(entry)
    find, look_up, source, stage, reason, fate = st.columns([3, 2, 2, 2, 2, 1.6], vertical_alignment="bottom")
    with find:
        search_field("Search in questions, answers and ids", state)
    with look_up:
        shown = showing("data:id", state.id)
        st.text_input(
            "Open a row", key=shown.key, placeholder="id, or SOURCE:ROW", max_chars=500,
            on_change=shown.chosen(_look_up),
        )  # fmt: skip
    with source:
        choice("source", _sums(counts, "source"), chosen=state.source)
    with stage:
        choice("stage", _sums(counts, "stage"), chosen=state.stage)
    with reason:
        choice("reason", {name: n for name, n in _sums(counts, "reason").items() if name}, chosen=state.reason)
    with fate:
        shown = showing("data:fate", state.fate)
        st.selectbox(
            "Fate", ["", "kept", "dropped"], key=shown.key, format_func=lambda name: name or "all",
            on_change=shown.chosen(lambda name: change_filters(DataState, fate=name)),
        )  # fmt: skip


def _look_up(text: str) -> None:
    address.put_all({"id": [text.strip()] if text.strip() else [], address.PAGE: []})


def search_field(label: str, state: DataState) -> None:
    """Draw the field for the search text of the address."""
    shown = showing("data:text", state.text)
    st.text_input(
        label, key=shown.key, max_chars=MAX_PATTERN_CHARS, icon=":material/search:", placeholder="text",
        on_change=shown.chosen(lambda text: change_filters(DataState, text=text)),
    )  # fmt: skip


def choice(field: str, counts: Mapping[str, int], *, chosen: Sequence[str]) -> None:
    """Draw a filter: the values with their counts, and those of the address, which the set may lack."""
    options = list(dict.fromkeys([*sorted(counts, key=lambda name: -counts[name]), *chosen]))
    shown = showing(f"data:{field}", list(chosen))
    st.multiselect(
        _LABELS.get(field, field.capitalize()), options, key=shown.key, placeholder="all", select_all=False,
        format_func=lambda name: f"{plain(name)} ({counts.get(name, 0):,})",
        on_change=shown.chosen(lambda names: change_filters(DataState, **{field: tuple(names)})),
    )  # fmt: skip


def _sums(counts: Sequence[Any], field: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in counts:
        name = getattr(each, field)
        found[name] = found.get(name, 0) + each.num_rows
    return found


def _frame(entry: SetEntry, places: Sequence[int]) -> tuple[Sequence[str], pd.DataFrame]:
    rows = rows_at(fates_of(entry.path), places)
    table = pd.DataFrame(
        {
            "fate": ["✓" if row.fate == "kept" else "✗" for row in rows],
            "stage": [plain(row.stage) for row in rows],
            "reason": [plain(row.reason) for row in rows],
            "id": [plain(row.id) for row in rows],
            "question": [plain(row.question[:_PREVIEW_CHARS]) for row in rows],
            "answer": [plain(row.answer[:_PREVIEW_CHARS]) for row in rows],
            "source": [plain(row.source) for row in rows],
            "row": [plain(row.row) for row in rows],
        }
    )
    return [name_of(row) for row in rows], table


def _columns() -> dict[str, Any]:
    text = st.column_config.TextColumn
    return {
        "fate": text("", width=30, help="✓ kept  ✗ dropped"),
        "stage": text("stage", width=95),
        "reason": text("reason", width=115),
        "id": text("id", width=95),
        "question": text("question", width=300),
        "answer": text("answer", width=80),
        "source": text("source", width=110),
        "row": text("row", width=70),
    }


def _row(entry: SetEntry, row: FateRow) -> None:
    """One row: what became of it and why, and what it is like."""
    is_kept = row.fate == "kept"
    show_facts(
        [
            ("", row.fate or "no fate", "v-correct" if is_kept else "v-wrong"),
            ("stage", row.stage, ""),
            *([("reason", row.reason, "")] if row.reason else []),
            ("id", row.id, ""),
            ("source", row.source, ""),
            ("row", row.row, ""),
        ]
    )
    if facts := _facts(row.evidence):
        st.caption("Evidence")
        show_facts(facts)
        _open_other(row.evidence)
    show_question(row.question)
    show_facts([("answer", row.answer, ""), *_facts(row.extra)])
    if changed := _facts(row.changes):
        st.caption("Respelled")
        show_facts(changed)
    if (entry.path / PAIRS).exists():
        _similar(pairs_of(pairs_file(entry.path), id_=row.id, source=row.source), row)


def _facts(text: str) -> list[tuple[str, str, str]]:
    """The values of an object or a list in JSON as chips; the text itself, if it is neither."""
    try:
        found = json.loads(text) if text else None
    except (ValueError, RecursionError):
        return [("", text[:2000], "")]
    if isinstance(found, dict):
        return [(str(name)[:200], _shown(value), "") for name, value in found.items() if value not in (None, [], {})]
    return [("", _shown(value), "") for value in found] if isinstance(found, list) else []


def _shown(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:2000]


def _open_other(evidence: str) -> None:
    """A button for the row that the evidence names."""
    try:
        other = json.loads(evidence).get("of")
    except (ValueError, AttributeError, RecursionError):
        return
    if isinstance(other, str) and 0 < len(other) <= _MOST_NAME_CHARS:
        st.button(
            escaped(f"Open {other[:60]}"), icon=":material/arrow_forward:", key="data:other",
            on_click=lambda: address.put_all({"id": [other], address.PAGE: []}),
        )  # fmt: skip


def _similar(found: Sequence[Pair], row: FateRow) -> None:
    if not found:
        return
    st.caption(f"Like {counted(len(found), 'other text')}")
    for number, pair in enumerate(found):
        is_left = (pair.id, pair.source) == (row.id, row.source)
        other = f"{pair.other_source} {pair.other_id}" if is_left else f"{pair.source} {pair.id}"
        st.button(
            escaped(f"{pair.verdict} · {pair.method} {pair.similarity:.2f} · {other[:120]}"), key=f"data:pair:{number}",
            icon=":material/compare_arrows:", type="tertiary", on_click=_opens(pair),
        )  # fmt: skip


def _opens(pair: Pair) -> Callable[[], None]:
    return lambda: address.put_all(
        {name: [] for name in DataState.__dataclass_fields__ if name != "set"}
        | {"view": ["benchmarks" if pair.is_of_benchmark else "pairs"], "pair": [pair.hash], address.PAGE: []}
    )
