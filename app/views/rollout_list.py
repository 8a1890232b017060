"""The list of a selection: one page of rollouts as a table; a click opens one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.markdown import plain
from app.queries.keys import RowKey
from app.queries.reasons import BY_NAME, names_of
from app.queries.rows import Row, key_at, page, place_of, read_rows
from app.queries.search import context_of
from app.queries.selection import Selection, constants
from app.views import address
from app.views.colours import words
from app.views.list_columns import COLUMNS, column_config, frame_of
from app.views.opened import OpenRun
from app.views.shown import reading
from orz_bench.errors import counted

PAGE_ROWS = 20
ROW_PX = 28
_HIT_HEIGHT = 58
"""Of a row with a hit in its context, which takes up to three lines."""


def page_number(opened: OpenRun, selection: Selection, *, current: RowKey | None) -> int:
    """The page in the address, from 0; without one, that of the open rollout. Warns of one after the last."""
    place = place_of(opened.index, selection, key=current) if current else None
    usual = place.place // PAGE_ROWS if place else 0
    return address.page_of(selection.total, page_rows=PAGE_ROWS, usual=usual)


def first_of_page(opened: OpenRun, selection: Selection, *, number: int) -> RowKey | None:
    """The first rollout of that page; None in an empty list."""
    return key_at(opened.index, selection, place=number * PAGE_ROWS)


def rollout_list(
    opened: OpenRun, selection: Selection, *, current: RowKey | None, number: int, columns: Sequence[str],
    reason_first: bool,
) -> None:  # fmt: skip
    """Draw that page of the list, with a pager.

    Only these `columns` in their order, if there are any. Else `reason_first` puts the reason column first, and columns
    without a value, or with the same one in all rollouts, are hidden, and the latter said.
    """
    rows = page(opened.index, selection, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
    at = next((place for place, row in enumerate(rows) if row.key == current), None)
    # A redrawn table loses its selection, so the key depends on its rows, and the selection is set from the address.
    drawn = hash((tuple(row.id for row in rows), tuple(columns)))
    shown = reading(f"list:{opened.index.generation}:{drawn}", at, read=chosen_row)
    keys = [row.key for row in rows]

    def opens(place: int | None) -> None:
        if place is not None and place < len(keys):
            address.put_row(keys[place], on_page=number)

    given = _given(opened, selection, rows=rows, chosen=columns)
    frame = _frame(rows, columns, given=given, reason_first=reason_first)
    row_height = _HIT_HEIGHT if "hit" in frame and selection.pattern is not None else ROW_PX
    same = constants(opened.index, selection) if selection.total > 1 else {}
    st.dataframe(
        frame, column_order=list(columns) or _shown_columns(frame, same),
        key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        selection_default={"selection": {"rows": [] if at is None else [at], "columns": [], "cells": []}},
        hide_index=True, placeholder="–", height=max(len(rows), 1) * row_height + 40, row_height=row_height,
        column_config=column_config(frame),
    )  # fmt: skip
    pager(number, selection.total, same=_said(same))


def chosen_row(state: Mapping[str, Any]) -> int | None:
    """The row of the table's state that was clicked on, or whose box was."""
    rows = [cell[0] for cell in state["selection"]["cells"]] or state["selection"]["rows"]
    return rows[0] if rows else None


_SAME = {
    "verdict": "verdict", "step": "step", "sample_index": "sample", "num_tokens": "tokens",
    "reflections": "reflections", "group_correct": "right", "reward": "reward", "reasons": "look", "num_hits": "hits",
}  # fmt: skip
"""The column of the list for each one of `constants`."""
_TOLD: Mapping[str, Callable[[Any], str]] = {
    "step": lambda value: f"step {value:,}",
    "sample_index": lambda value: f"sample {value}",
    "num_tokens": lambda value: counted(value, "token"),
    "reflections": lambda value: counted(value, "reflection"),
    "reward": lambda value: f"reward {value:.3g}",
    "num_hits": lambda value: counted(value, "hit"),
}
_ALWAYS = ("problem", "response")


def _shown_columns(frame: pd.DataFrame, same: Mapping[str, object]) -> list[str]:
    """The columns that say something."""
    hidden = {column for name, column in _SAME.items() if name in same}
    if "group_graded" not in same:
        hidden.discard("right")
    empty = {name for name in frame.columns if frame[name].isna().all() or (frame[name] == "").all()}
    return [name for name in frame.columns if name in _ALWAYS or name not in hidden | empty]


def _said(same: Mapping[str, object]) -> str:
    """What is the same in all rollouts, for people."""
    verdict, reasons = same.get("verdict"), same.get("reasons")
    parts = [
        *([words(str(verdict))] if verdict is not None else []),
        *(told(value) for name, told in _TOLD.items() if (value := same.get(name)) is not None),
        *(BY_NAME[name].title for name in names_of(reasons if isinstance(reasons, int) else 0)[:1]),
    ]
    return f" · all: {', '.join(parts)}" if parts else ""


def _given(
    opened: OpenRun, selection: Selection, *, rows: Sequence[Row], chosen: Sequence[str]
) -> dict[str, Sequence[Any]]:
    """What the rows do not hold themselves: the first hit of each response in its context, and tags."""
    found: dict[str, Sequence[Any]] = {}
    if selection.pattern is not None:
        texts = read_rows(opened.index, [row.id for row in rows], columns=["completion"])
        contexts = [context_of(text["completion"] or "", selection.pattern) for text in texts]
        found["hit"] = [None if context is None else plain(context) for context in contexts]
    if "tags" in chosen:
        found["tags"] = [plain(", ".join(_tags_of(row, selection))) for row in rows]
    return found


def _tags_of(row: Row, selection: Selection) -> list[str]:
    found = [
        marked.tags
        for marked in selection.marks.rows
        if RowKey(marked.benchmark, marked.step, marked.fingerprint, marked.problem_id, marked.sample_index) == row.key
        and marked.text_hash in (None, row.text_hash)
    ]
    return sorted({tag for tags in found for tag in tags})


def _frame(
    rows: Sequence[Row], chosen: Sequence[str], *, given: Mapping[str, Sequence[Any]], reason_first: bool
) -> pd.DataFrame:
    """The chosen columns, or the usual ones."""
    if chosen:
        return frame_of(rows, chosen, given=given)
    names = [
        name for name, column in COLUMNS.items() if column.is_usual and ("hit" in given or name not in ("hit", "hits"))
    ]
    if reason_first:
        names.remove("look")
        names.insert(1, "look")
    # A reward says what a verdict says, where there is one.
    if not any(row.verdict is None and row.reward is not None for row in rows):
        names.remove("reward")
    return frame_of(rows, names, given=given)


def pager(number: int, total: int, *, same: str = "") -> None:
    """Draw what the page, counted from 0, holds, and the buttons that turn it; `same` is said behind it."""
    first, last = number * PAGE_ROWS + 1, min((number + 1) * PAGE_ROWS, total)
    position, back, forward = st.columns([4, 1, 1], vertical_alignment="center")
    position.caption(f"{first:,} to {last:,} of {total:,}{same}" if total else "")
    if total > PAGE_ROWS:
        back.button(
            "", icon=":material/chevron_left:", key="pager:back", help="Previous page", disabled=number == 0,
            on_click=address.put_page, args=(number - 1,), width="stretch",
        )  # fmt: skip
        forward.button(
            "", icon=":material/chevron_right:", key="pager:forward", help="Next page", disabled=last >= total,
            on_click=address.put_page, args=(number + 1,), width="stretch",
        )  # fmt: skip


def open_neighbour(opened: OpenRun, selection: Selection, *, key: RowKey | None) -> None:
    """Open a neighbour, and turn the list to its page."""
    if key is not None:
        place = place_of(opened.index, selection, key=key)
        address.put_row(key, on_page=place.place // PAGE_ROWS if place else None)
