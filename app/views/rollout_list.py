"""The list of a selection: one page of rollouts as a table; a click opens one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.queries.keys import RowKey
from app.queries.reasons import BY_NAME
from app.queries.rows import Row, page, place_of
from app.queries.selection import Selection
from app.views import address
from app.views.colours import symbol
from app.views.opened import OpenRun
from app.views.shown import reading

PAGE_ROWS = 20
_ROW_HEIGHT = 28


def rollout_list(opened: OpenRun, selection: Selection, *, current: RowKey | None, reason_first: bool) -> None:
    """Draw the page of the list in the address, with a pager; `reason_first` puts the reason column first."""
    number = min(_page_number(opened, selection, current=current), max(selection.total - 1, 0) // PAGE_ROWS)
    rows = page(opened.index, selection, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
    at = next((place for place, row in enumerate(rows) if row.key == current), None)
    # A redrawn table loses its selection, so the key depends on its rows, and the selection is set from the address.
    shown = reading(f"list:{opened.index.generation}:{hash(tuple(row.id for row in rows))}", at, read=_chosen)
    keys = [row.key for row in rows]

    def opens(place: int | None) -> None:
        if place is not None and place < len(keys):
            address.put_row(keys[place])
            address.put_page(number)

    st.dataframe(
        _frame(rows, with_hits=selection.hits is not None, reason_first=reason_first),
        key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        selection_default={"selection": {"rows": [] if at is None else [at], "columns": [], "cells": []}},
        hide_index=True, placeholder="–", height=max(len(rows), 1) * _ROW_HEIGHT + 40, row_height=_ROW_HEIGHT,
        column_config=_columns(),
    )  # fmt: skip
    _pager(number, selection.total)


def _page_number(opened: OpenRun, selection: Selection, *, current: RowKey | None) -> int:
    """The page in the address; without one, the page of the open rollout."""
    named = address.page()
    if named is not None:
        return named
    place = place_of(opened.index, selection, key=current) if current else None
    return place.place // PAGE_ROWS if place else 0


def _chosen(state: Mapping[str, Any]) -> int | None:
    """The row of the table's state that was clicked on, or whose box was."""
    rows = [cell[0] for cell in state["selection"]["cells"]] or state["selection"]["rows"]
    return rows[0] if rows else None


def _frame(rows: Sequence[Row], *, with_hits: bool, reason_first: bool) -> pd.DataFrame:
    columns = {
        "verdict": [symbol(row.verdict) for row in rows],
        "step": [row.key.step for row in rows],
        "problem": [row.key.problem_id for row in rows],
        "sample": [row.key.sample_index for row in rows],
        "hits": [row.num_hits for row in rows],
        "tokens": pd.array([row.num_tokens for row in rows], dtype="Int64"),
        "reflections": pd.array([row.reflections for row in rows], dtype="Int64"),
        "right": [f"{row.group_correct}/{row.group_size}" for row in rows],
        "look": [BY_NAME[row.reasons[0]].title if row.reasons else "" for row in rows],
        "extracted": [row.extracted for row in rows],
        "gold": [row.gold for row in rows],
        "response": ["(text not kept)" if row.preview is None else row.preview for row in rows],
    }
    frame = pd.DataFrame(columns)
    frame = frame if with_hits else frame.drop(columns="hits")
    return frame[["verdict", "look", *frame.columns.drop(["verdict", "look"])]] if reason_first else frame


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "verdict": text("", width=30, help="✓ correct  ✗ wrong  ∅ no answer  ? ⏱ ! not gradable  · not graded"),
        "step": number("step", width=45, format="%d"),
        "problem": text("problem", width=95),
        "sample": number("#", width=35, format="%d", help="which sample of the question"),
        "hits": number("hits", width=45, format="%d"),
        "tokens": number("tokens", width=55, format="%d"),
        "reflections": number("refl.", width=45, format="%d", help="reflection words, lexicon `extended`"),
        "right": text("group", width=55, help="correct samples of the question at this step"),
        "look": text("worth a look", width=130),
        "extracted": text("answer", width=90),
        "gold": text("gold", width=90),
        "response": text("response", width=520),
    }


def _pager(number: int, total: int) -> None:
    first, last = number * PAGE_ROWS + 1, min((number + 1) * PAGE_ROWS, total)
    position, back, forward = st.columns([4, 1, 1], vertical_alignment="center")
    position.caption(f"{first:,} to {last:,} of {total:,}" if total else "")
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
    if key is None:
        return
    address.put_row(key)
    place = place_of(opened.index, selection, key=key)
    if place is not None:
        address.put_page(place.place // PAGE_ROWS)
