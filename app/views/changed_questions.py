"""The questions that a paired comparison gained or lost, each of which opens on the page Question at both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import streamlit as st

from app import url
from app.markdown import escaped, plain
from app.views.address import parameters
from app.views.context import Context
from app.views.names import told_apart
from app.views.shown import showing
from orz_bench.results.breakdown import natural_order

MOST_LINKS = 12
"""Questions with a link of their own; the others are in a choice."""
_PICKED = "changed:picked"


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAt:
    """State of the page Question for a question of a benchmark."""

    run: tuple[str, ...]
    bench: str
    problem: str
    at: tuple[str, ...] = ()
    """The two evaluations of the comparison."""
    differing: bool = False


def changed_questions(context: Context, title: str, *, names: Sequence[str], target: QuestionAt) -> None:
    """Draw links to the first questions, at both of the evaluations, and a choice of the others."""
    if not names:
        st.caption(f"{title}: none.")
        return
    with st.container(horizontal=True, gap=None, vertical_alignment="center", key=f"questions-{title.lower()}"):
        st.caption(f"{title} {len(names):,}:", width="content")
        if "question" not in context.pages:
            return
        ordered = sorted(names, key=natural_order)
        shown = told_apart(ordered[:MOST_LINKS], limit=24)
        for name in shown:
            query = url.parameters(replace(target, problem=name))
            st.page_link(context.pages["question"], label=escaped(shown[name]), query_params=query)
        if len(names) > MOST_LINKS:
            _others(title, ordered[MOST_LINKS:], target=target)


def _others(title: str, names: Sequence[str], *, target: QuestionAt) -> None:
    def opens(name: str | None) -> None:
        if name is not None:
            st.session_state[_PICKED] = url.parameters(replace(target, problem=name))

    shown = showing(f"changed:{title}", None)
    st.selectbox(
        f"{title}, the others", names, key=shown.key, index=None, format_func=plain, width=220,
        label_visibility="collapsed", placeholder=f"and {len(names):,} more", on_change=shown.chosen(opens),
    )  # fmt: skip


def follow_picked(context: Context) -> None:
    """Open the question that was chosen."""
    picked = st.session_state.pop(_PICKED, None)
    if picked is not None:
        # With this page's own state too: Streamlit puts this page with the new address into the history.
        context.go("question", parameters() | picked)
