"""How the rollouts of a selection are shown: chosen columns, groups, and views that are saved by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from app import url
from app.judging.saved_views import MAX_NAME_CHARS, SavedView, SavedViews, delete_view, save_view, saved_views
from app.markdown import escaped, plain
from app.queries.filters import Filters, QueueFilters, as_filters
from app.queries.groups import ABOUT, GROUPINGS, Groups, filter_of, grouping, groups, value_title
from app.queries.selection import Selection
from app.views import address
from app.views.annotating import SAID, say_what_happened, try_change
from app.views.colours import words
from app.views.list_columns import COLUMNS, column_name
from app.views.opened import OpenRun, author
from app.views.rollout_list import ROW_PX, chosen_row
from app.views.shown import reading, showing
from orz_bench.errors import counted, nearest

_MOST_HEIGHT_PX = 320
_NAME = "view:name"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """The part of the state that is about the list."""

    column: tuple[str, ...] = ()
    """Of the list, in their order; none: the usual ones."""
    group: str = ""
    """By what the rollouts are grouped above the list."""


KNOWN = (*(field.name for field in fields(Filters)), *(field.name for field in fields(ListView)))
"""The parameters of a saved view."""


def list_view() -> ListView:
    """The state in the address; draws a warning for a column that there is not."""
    state = address.read_state(ListView)
    for name in [name for name in state.column if name not in COLUMNS][:3]:
        st.warning(escaped(f"column={name[:60]!r} in the address is no column{nearest(name, list(COLUMNS))}."))
    return ListView(column=tuple(name for name in state.column if name in COLUMNS), group=state.group)


def view_menu(opened: OpenRun, filters: Filters, *, state: ListView, facts: Sequence[str]) -> None:
    """Draw the choices in a popover; `facts` are the fields of questions by which rollouts can be grouped too."""
    say_what_happened()
    label = "View (changed)" if state != ListView() else "View"
    with st.popover(label, icon=":material/view_column:"):
        shown = showing("view:columns", list(state.column))
        st.multiselect(
            "Columns, in this order", list(COLUMNS), key=shown.key, format_func=column_name, wrap=True,
            placeholder="the usual ones", select_all=False,
            on_change=shown.chosen(lambda names: address.write_state(ListView, column=tuple(names))),
        )  # fmt: skip
        options = ["", *GROUPINGS, *(f"{ABOUT}{name}" for name in facts)]
        shown = showing("view:group", state.group if state.group in options else "")
        st.selectbox(
            "Group by", options, key=shown.key, format_func=_group_title,
            on_change=shown.chosen(lambda name: address.write_state(ListView, group=name)),
        )  # fmt: skip
        _saved(opened, filters, state=state)


def _group_title(name: str) -> str:
    if not name:
        return "nothing"
    return plain(name.removeprefix(ABOUT)) if name.startswith(ABOUT) else GROUPINGS[name].title


def _saved(opened: OpenRun, filters: Filters, *, state: ListView) -> None:
    page = "suspicious" if isinstance(filters, QueueFilters) else "rollouts"
    side = opened.annotations.path.parent
    found = saved_views(side, page=page, known=KNOWN)
    parameters = url.parameters(as_filters(filters)) | url.parameters(state)
    now = next((name for name, view in found.views.items() if dict(view.parameters) == parameters), None)
    st.divider()
    shown = showing("view:saved", now)
    st.selectbox(
        "Saved views", list(found.views), key=shown.key, index=None, disabled=not found.views, format_func=plain,
        placeholder="choose a view" if found.views else "none yet", on_change=shown.chosen(partial(_open, found)),
    )  # fmt: skip
    for fault in found.faults[:3]:
        st.warning(escaped(fault))
    name = st.text_input("Name", key=_NAME, max_chars=MAX_NAME_CHARS, placeholder="save this view as")
    is_taken = " ".join(name.split()) in found.views
    save, delete = st.columns(2)
    who = author()

    def keep() -> None:
        """Under the name that is there now: a click may come with the last key."""
        wanted = SavedView(name=st.session_state[_NAME], page=page, parameters=parameters, author=who)
        save_view(side, wanted, replaces=is_taken)
        st.session_state[SAID] = f"The view {wanted.name!r} is saved for everyone who looks at these runs."

    save.button(
        "Replace" if is_taken else "Save", key="view:save", width="stretch", icon=":material/save:",
        on_click=lambda: try_change(keep),
        help="For everyone who looks at these runs: filters, order, columns and groups, of any run.",
    )  # fmt: skip
    delete.button(
        "Delete", key="view:delete", disabled=now is None, width="stretch", icon=":material/delete:",
        on_click=lambda: delete_view(side, found.views[now]) if now is not None else None,
        help="Deletes the saved view that is shown.",
    )  # fmt: skip


def _open(found: SavedViews, name: str | None) -> None:
    if name is not None and name in found.views:
        nothing: dict[str, Sequence[str]] = dict.fromkeys((*KNOWN, address.PAGE, address.ROW), ())
        address.put_all(nothing | dict(found.views[name].parameters))


def grouped(opened: OpenRun, selection: Selection, *, by: str, kind: type[Filters]) -> None:
    """Draw the groups of a selection; a click on one filters by it, where a filter does. ConfigError: no such group."""
    kind_of_group = grouping(opened.index, by)
    title, coverage = kind_of_group.title, opened.coverage
    found = groups(opened.index, selection, by=by)
    key = f"groups:{by}:{selection.table.name}"
    shown = reading(key, None, read=chosen_row)

    def choose(place: int | None) -> None:
        chosen = filter_of(by, found.rows[place].value) if place is not None and place < len(found.rows) else {}
        if chosen:
            address.write_filters(kind, **chosen)

    frame = _frame(found, by=by, title=title)
    st.dataframe(
        frame, key=shown.key, hide_index=True, row_height=ROW_PX, placeholder="–",
        on_select=shown.chosen(choose), selection_mode=["single-row", "single-cell"],
        height=min(ROW_PX * len(frame) + 40, _MOST_HEIGHT_PX), column_config=_config(),
    )  # fmt: skip
    cut = f", the first {len(found.rows):,} of them" if len(found.rows) < found.total else ""
    several = " A rollout may be in several." if by in ("tag", "look") else ""
    opens = " A click on one filters by it." if any(filter_of(by, one.value) for one in found.rows) else ""
    is_whole = coverage.num_measured >= coverage.num_parts or not kind_of_group.needs_measures
    of = f"{coverage.num_measured:,} of {counted(coverage.num_parts, 'part')} measured, the others are under –"
    so_far = "" if is_whole else f" So far: {of}."
    st.caption(f"{counted(found.total, 'group')} by {escaped(title.lower())}{cut}.{so_far}{several}{opens}")


def _frame(found: Groups, *, by: str, title: str) -> pd.DataFrame:
    shown: Callable[[str | None], str] = partial(value_title, by)
    texts = [words(one.value) if by in ("verdict", "second") else shown(one.value) for one in found.rows]
    columns: Mapping[str, Sequence[object]] = {
        plain(title) or "value": [plain(text) for text in texts],
        "rollouts": [one.num for one in found.rows],
        "questions": [one.num_problems for one in found.rows],
        "with verdict": [one.num_graded for one in found.rows],
        "correct": [one.num_correct if one.num_graded else None for one in found.rows],
        "pass rate, %": [None if one.share is None else 100 * one.share for one in found.rows],
        "mean tokens": [one.mean_tokens for one in found.rows],
    }
    return pd.DataFrame(columns)


def _config() -> dict[str, Any]:
    number = st.column_config.NumberColumn
    return {
        "correct": number(format="%d"),
        "pass rate, %": number(format="%.1f", help="correct / rollouts with a verdict"),
        "mean tokens": number(format="%.0f"),
    }
