"""The list of a selection: one page of rollouts as a table; a click opens one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app.markdown import plain
from app.queries.keys import RowKey
from app.queries.reasons import BY_NAME
from app.queries.rows import Row, page, place_of, read_rows
from app.queries.search import context_of
from app.queries.selection import Selection, constants
from app.views import address
from app.views.colours import symbol, words
from app.views.opened import OpenRun
from app.views.shown import reading

PAGE_ROWS = 20
ROW_PX = 28
_HIT_HEIGHT = 58
"""Of a row with a hit in its context, which takes up to three lines."""


def rollout_list(
    opened: OpenRun, selection: Selection, *, current: RowKey | None, reason_first: bool
) -> RowKey | None:  # fmt: skip
    """Draw the page of the list in the address, with a pager; return its first rollout.

    `reason_first` puts the reason column first. Columns without a value, or with the same one in all rollouts, are
    hidden, and the latter said.
    """
    last = max(selection.total - 1, 0) // PAGE_ROWS
    number = _page_number(opened, selection, current=current)
    if number > last:
        st.warning(f"The address names page {number + 1:,}; the list has {last + 1:,}, and this is the last one.")
    number = min(number, last)
    rows = page(opened.index, selection, offset=number * PAGE_ROWS, limit=PAGE_ROWS)
    at = next((place for place, row in enumerate(rows) if row.key == current), None)
    # A redrawn table loses its selection, so the key depends on its rows, and the selection is set from the address.
    shown = reading(f"list:{opened.index.generation}:{hash(tuple(row.id for row in rows))}", at, read=chosen_row)
    keys = [row.key for row in rows]

    def opens(place: int | None) -> None:
        if place is not None and place < len(keys):
            address.put_row(keys[place], on_page=number)

    frame = _frame(rows, hits=_contexts(opened, selection, rows=rows), reason_first=reason_first)
    row_height = ROW_PX if selection.pattern is None else _HIT_HEIGHT
    same = constants(opened.index, selection) if selection.total > 1 else {}
    st.dataframe(
        frame, column_order=_shown_columns(frame, same),
        key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        selection_default={"selection": {"rows": [] if at is None else [at], "columns": [], "cells": []}},
        hide_index=True, placeholder="–", height=max(len(rows), 1) * row_height + 40, row_height=row_height,
        column_config=_columns(),
    )  # fmt: skip
    pager(number, selection.total, same=_said(same))
    return keys[0] if keys else None


def _page_number(opened: OpenRun, selection: Selection, *, current: RowKey | None) -> int:
    """The page in the address; without one, the page of the open rollout."""
    named = address.page()
    if named is not None:
        return named
    place = place_of(opened.index, selection, key=current) if current else None
    return place.place // PAGE_ROWS if place else 0


def chosen_row(state: Mapping[str, Any]) -> int | None:
    """The row of the table's state that was clicked on, or whose box was."""
    rows = [cell[0] for cell in state["selection"]["cells"]] or state["selection"]["rows"]
    return rows[0] if rows else None


_SAME = {
    "verdict": "verdict", "step": "step", "sample_index": "sample", "num_tokens": "tokens",
    "reflections": "reflections", "group_correct": "right", "reasons": "look",
}  # fmt: skip
"""The column of the list for each one of `constants`."""
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
    step, verdict, sample = (same.get(name) for name in ("step", "verdict", "sample_index"))
    parts = [
        *([words(str(verdict))] if verdict is not None else []),
        *([f"step {step:,}"] if isinstance(step, int) else []),
        *([f"sample {sample}"] if isinstance(sample, int) else []),
    ]
    return f" · all: {', '.join(parts)}" if parts else ""


def _contexts(opened: OpenRun, selection: Selection, *, rows: Sequence[Row]) -> list[str | None] | None:
    """The first hit of each response in its context; None without a search."""
    if selection.pattern is None:
        return None
    texts = read_rows(opened.index, [row.id for row in rows], columns=["completion"])
    return [context_of(text["completion"] or "", selection.pattern) for text in texts]


def _frame(rows: Sequence[Row], *, hits: Sequence[str | None] | None, reason_first: bool) -> pd.DataFrame:
    looks = [BY_NAME[row.reasons[0]].title if row.reasons else "" for row in rows]
    columns = {
        "verdict": [symbol(row.verdict) for row in rows],
        **({"look": looks} if reason_first else {}),
        "problem": [plain(row.key.problem_id) for row in rows],
        "extracted": [_plain(row.extracted) for row in rows],
        "gold": [_plain(row.gold) for row in rows],
        **({} if hits is None else {"hit": [_plain(hit) for hit in hits], "hits": [row.num_hits for row in rows]}),
        "step": [row.key.step for row in rows],
        "sample": [row.key.sample_index for row in rows],
        "tokens": pd.array([row.num_tokens for row in rows], dtype="Int64"),
        "reflections": pd.array([row.reflections for row in rows], dtype="Int64"),
        "right": [f"{row.group_correct}/{row.group_graded}" if row.group_graded else None for row in rows],
        "reward": [row.reward for row in rows],
        **({} if reason_first else {"look": looks}),
        "response": ["(text not kept)" if row.preview is None else _plain(row.preview) for row in rows],
    }
    frame = pd.DataFrame(columns)
    # A reward says what a verdict says, where there is one.
    says_more = any(row.verdict is None and row.reward is not None for row in rows)
    return frame if says_more else frame.drop(columns="reward")


def _plain(text: str | None) -> str | None:
    return None if text is None else plain(text)


def _columns() -> dict[str, Any]:
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    return {
        "verdict": text("", width=30, help="✓ correct  ✗ wrong  ∅ no answer  ? ⏱ ! not gradable  · not graded"),
        "step": number("step", width=45, format="%d"),
        "problem": text("problem", width=95),
        "sample": number("#", width=35, format="%d", help="which sample of the question"),
        "hit": text("hit", width=240, help="the first hit with 40 characters on each side"),
        "hits": number("hits", width=45, format="%d"),
        "tokens": number("tokens", width=55, format="%d"),
        "reflections": number("refl.", width=45, format="%d", help="reflection words, lexicon `extended`"),
        "right": text("group", width=55, help="correct / graded samples of the question at this step"),
        "reward": number("reward", width=60, format="%.3g"),
        "look": text("worth a look", width=130),
        "extracted": text("answer", width=90),
        "gold": text("gold", width=90),
        "response": text("response", width=520),
    }


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
