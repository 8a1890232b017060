"""The row above every page for choosing its runs, which are the parameter `run` of the address."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st

from app.context import Context
from app.markdown import escaped
from app.runs.folder import RunEntry, no_such_run
from app.views.shown import showing

RUN = "run"
"""The parameter, repeated for each run."""
_KEPT = "shell:runs"
_WIDGET = "shell:run-choice"
MAX_RUNS = 7
"""The number of colours."""


def remember() -> None:
    """Keep the chosen runs across pages: an address without runs gets those of the session."""
    if RUN not in st.query_params and st.session_state.get(_KEPT):
        st.query_params[RUN] = st.session_state[_KEPT]
    st.session_state[_KEPT] = st.query_params.get_all(RUN)


def choose(context: Context, *, wants: Literal["any", "several", "one"]) -> Context | None:
    """Draw the row; return the context with the chosen runs, or None if there are no runs."""
    by_name = {entry.name: entry for entry in context.entries}
    named = list(dict.fromkeys(st.query_params.get_all(RUN)))[:MAX_RUNS]
    chosen = tuple(by_name[name] for name in named if name in by_name)
    if not context.entries:
        _say_empty(context)
        return None
    if wants != "any":
        chosen = chosen or context.entries[:1]
        _show_row(context.entries, chosen, is_one=wants == "one")
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


def _show_row(entries: tuple[RunEntry, ...], chosen: tuple[RunEntry, ...], *, is_one: bool) -> None:
    names = [entry.name for entry in entries]
    if is_one:
        shown = showing(_WIDGET, chosen[0].name)
        st.selectbox(
            "Run", names, key=shown.key, label_visibility="collapsed", on_change=shown.chosen(_choose_one), width=420
        )
        return
    shown = showing(_WIDGET, [entry.name for entry in chosen])
    st.multiselect(
        "Runs", names, key=shown.key, label_visibility="collapsed", max_selections=MAX_RUNS,
        placeholder="newest run", on_change=shown.chosen(put),
    )  # fmt: skip


def _choose_one(name: str) -> None:
    others = st.query_params.get_all(RUN)
    put([name, *(other for other in others if other != name)] if name in others else [name])


def _say_empty(context: Context) -> None:
    """Draw a hint if there is no run yet."""
    st.info(
        f"No run in {escaped(str(context.folder.path))} yet. Create one, or open another folder:",
        icon=":material/inbox:",
    )
    st.code(
        "make demo                                       # train and evaluate the tiny model in ten minutes\n"
        "orz-rl train --recipe tiny --out runs/tiny      # the same by hand\n"
        "orz-bench eval --ckpt MODEL --out runs/eval     # evaluate your model\n"
        "orz-bench import FILE --out runs/imported       # import rollouts of another tool\n"
        "streamlit run app/main.py -- --runs DIR         # open another folder",
        language="bash",
    )
    st.caption("A run appears as soon as its folder has a run.json; reload the page to check.")
