"""The row above every page: its title and the runs that it is about, which stand in the address as `run`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st

from app.context import Context
from app.folder import RunEntry, no_such_run
from app.markdown import escaped

RUN = "run"
"""The parameter, once for each run."""
_KEPT = "shell:runs"
_WIDGET = "shell:run-choice"
MAX_RUNS = 7
"""As many as there are colours."""


def remember() -> None:
    """Carry the chosen runs from page to page: an address without any takes those of this session."""
    if RUN not in st.query_params and st.session_state.get(_KEPT):
        st.query_params[RUN] = st.session_state[_KEPT]
    st.session_state[_KEPT] = st.query_params.get_all(RUN)


def choose(context: Context, title: str, *, wants: Literal["any", "several", "one"]) -> Context | None:
    """The context with its runs, after the row was drawn; None where there is nothing to draw a page of."""
    by_name = {entry.name: entry for entry in context.entries}
    named = list(dict.fromkeys(st.query_params.get_all(RUN)))[:MAX_RUNS]
    chosen = tuple(by_name[name] for name in named if name in by_name)
    if wants == "any":
        st.subheader(title, anchor=False)
    elif not context.entries:
        _say_empty(context)
        return None
    else:
        chosen = chosen or context.entries[:1]
        _draw_row(context.entries, chosen, title, is_one=wants == "one")
    for name in named:
        if name not in by_name:
            st.warning(escaped(no_such_run(name, list(by_name))))
    return replace(context, runs=chosen)


def put(names: list[str]) -> None:
    """Choose these runs."""
    st.session_state[_KEPT] = names
    if names:
        st.query_params[RUN] = names
    else:
        st.query_params.pop(RUN, None)


def _draw_row(entries: tuple[RunEntry, ...], chosen: tuple[RunEntry, ...], title: str, *, is_one: bool) -> None:
    names = [entry.name for entry in entries]
    left, right = st.columns([1.2, 6], vertical_alignment="center")
    left.subheader(title, anchor=False)
    if is_one:
        st.session_state[_WIDGET] = chosen[0].name
        right.selectbox("Run", names, key=_WIDGET, label_visibility="collapsed", on_change=_one_changed)
        return
    st.session_state[_WIDGET] = [entry.name for entry in chosen]
    right.multiselect(
        "Runs", names, key=_WIDGET, label_visibility="collapsed", max_selections=MAX_RUNS,
        placeholder="the newest run", on_change=_several_changed,
    )  # fmt: skip


def _one_changed() -> None:
    others = st.query_params.get_all(RUN)
    name = st.session_state[_WIDGET]
    put([name, *(other for other in others if other != name)] if name in others else [name])


def _several_changed() -> None:
    put(list(st.session_state[_WIDGET]))


def _say_empty(context: Context) -> None:
    st.info(f"No run in {escaped(str(context.folder.path))} yet.", icon=":material/inbox:")
