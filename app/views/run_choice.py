"""The row above every page for choosing its runs, which are the parameter `run` of the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import streamlit as st

from app.markdown import escaped, plain
from app.runs.folder import RunEntry, no_such_run
from app.views import address
from app.views.context import Context
from app.views.names import run_title
from app.views.shown import showing
from orz_bench.errors import counted

RUN = address.RUN
"""The parameter, repeated for each run."""
_KEPT, _NEWEST = "shell:runs", "shell:newest"
_WIDGET = "shell:run-choice"
MAX_RUNS = 7
"""The number of colours."""


def remember() -> None:
    """Keep the chosen runs across pages: an address without runs gets those of the session."""
    if RUN not in st.query_params and st.session_state.get(_KEPT):
        st.query_params[RUN] = st.session_state[_KEPT]
    st.session_state[_KEPT] = address.all_of(RUN)


def choose(context: Context, *, wants: Literal["any", "several", "one"]) -> Context | None:
    """Draw the row; return the context with the chosen runs, or None if there is nothing to show.

    A run that the address names and the folder lacks is never replaced by another: a page of one run then shows the
    choice only, and a page of several shows the others.
    """
    by_name = {entry.name: entry for entry in context.entries}
    if not context.entries:
        _say_empty(context)
        return None
    named = list(dict.fromkeys(name for name in address.all_of(RUN) if name))
    chosen = tuple(by_name[name] for name in named[:MAX_RUNS] if name in by_name)
    lacks_first = bool(named) and named[0] not in by_name
    st.session_state[address.SHOWN_RUN] = None
    if wants != "any":
        chosen = () if lacks_first and wants == "one" else chosen if named else _newest(context)
        if not named and chosen:
            st.session_state[_NEWEST] = st.session_state[address.SHOWN_RUN] = chosen[0].name
    _show_row(context.entries, chosen, is_one=wants == "one")
    _say_left_out(named, list(by_name))
    if wants != "any" and not chosen:
        return None
    return replace(context, runs=chosen, lacks_first=lacks_first)


def _newest(context: Context) -> tuple[RunEntry, ...]:
    """The run written last; as long as no run is chosen in this tab, it stays the one that was so at first."""
    kept = st.session_state.get(_NEWEST)
    return tuple(entry for entry in context.entries if entry.name == kept)[:1] or context.entries[:1]


def _say_left_out(named: Sequence[str], known: Sequence[str]) -> None:
    for name in named[:MAX_RUNS]:
        if name not in known:
            st.warning(escaped(no_such_run(name, known)))
    if left_out := named[MAX_RUNS:]:
        more = f" and {len(left_out) - 3:,} more" if len(left_out) > 3 else ""
        st.warning(
            escaped(
                f"The address names {counted(len(named), 'run')}; the first {MAX_RUNS} are used, not "
                f"{', '.join(name[:60] for name in left_out[:3])}{more}."
            )
        )


def put(names: list[str], *, without: Sequence[str] = ()) -> None:
    """Choose these runs, and take these parameters out of the address."""
    st.session_state[_KEPT] = names
    address.put_all({RUN: names} | dict.fromkeys(without, ()))


def _show_row(entries: tuple[RunEntry, ...], chosen: tuple[RunEntry, ...], *, is_one: bool) -> None:
    names = [entry.name for entry in entries]
    if is_one:
        shown = showing(_WIDGET, chosen[0].name if chosen else None)
        st.selectbox(
            "Run", names, key=shown.key, label_visibility="collapsed", width=420, placeholder="choose a run",
            format_func=lambda name: plain(run_title(name)),
            on_change=shown.chosen(lambda name: _choose_one(name, names)),
        )  # fmt: skip
        return
    shown = showing(_WIDGET, [entry.name for entry in chosen])
    st.multiselect(
        "Runs", names, key=shown.key, label_visibility="collapsed", max_selections=MAX_RUNS,
        format_func=lambda name: plain(run_title(name)),
        placeholder="choose runs",
        on_change=shown.chosen(put),
    )  # fmt: skip


def _choose_one(name: str | None, known: Sequence[str]) -> None:
    """Show this run. A rollout of the previous one is not looked up in it."""
    if name is None:
        return
    others = [other for other in address.all_of(RUN) if other in known]
    put([name, *(other for other in others if other != name)] if name in others else [name], without=address.ROWS)


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
        "orz-app --runs examples/runs                    # a recorded training of a real model (in the checkout)\n"
        "orz-app --runs DIR                              # open another folder",
        language=None,  # its colours are too faint
    )
    st.caption("A run appears as soon as its folder has a run.json; reload the page to check.")
