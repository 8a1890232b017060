"""The answers to a question: a table with gold and majority, and how the shares move over checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app.markdown import escaped
from app.queries.answers import Votes
from app.reader.markup import escape
from app.views.question_charts import answer_rows, answer_title, answers_chart
from orz_bench.errors import counted

MOST_ROWS = 200
"""Answers in the table; it scrolls."""
_SHOWN_CHARS = 200


def answers_panel(columns: Mapping[str, Votes], *, key: str) -> None:
    """Draw it for the votes in each column, in their order; nothing without any."""
    if not columns:
        return
    st.subheader("Answers", anchor=False)
    last_title, last = list(columns.items())[-1]
    st.markdown(f"{_said(last)} :small[:gray[at {escaped(last_title)}]]")
    table = answer_rows(columns)
    ends = list(dict.fromkeys([next(iter(columns)), last_title]))
    left, right = st.columns([4, 6], gap="medium")
    with left:
        st.html(_table(table, ends=ends))
        more = f", the first {MOST_ROWS} of them here" if len(table) > MOST_ROWS else ""
        st.caption(f"{counted(len(table), 'answer')}{more}; ✓ is right, whatever its spelling.")
    with right:
        st.altair_chart(answers_chart(table), key=f"answers:chart:{key}", height=190)


def _table(table: pd.DataFrame, *, ends: Sequence[str]) -> str:
    """As HTML: the browser has it before a grid has loaded its scripts, and finds a text in it."""
    titles = ["answer", "samples", *(f"{name}, %" for name in ends)]
    lines = [_line(titles, tag="th")]
    for row in table.head(MOST_ROWS)[["answer", "samples", *ends]].itertuples(index=False):
        answer, samples, *shares = row
        lines.append(_line([str(answer), f"{samples:,}", *(f"{share:.0f}" for share in shares)], tag="td"))
    return f'<div class="orz-scroll orz-answers-table" tabindex="0"><table>{"".join(lines)}</table></div>'


def _line(cells: Sequence[str], *, tag: str) -> str:
    shown = (f"<{tag}>{escape(cell[:_SHOWN_CHARS])}</{tag}>" for cell in cells)
    return f"<tr>{''.join(shown)}</tr>"


def _said(votes: Votes) -> str:
    """The majority in words."""
    most = votes.majority
    if most is None:
        return "No majority: a tie, or no answer."
    share = votes.counts[most] / votes.total
    verdict = "is the gold" if most.is_right else f"is not the gold, {escaped(votes.gold[:80])}"
    ungraded = f" ({counted(votes.num_ungraded, 'sample')} without a verdict)" if votes.num_ungraded else ""
    return f"Majority: **{escaped(answer_title(most)[2:])}** with {share:.0%} of the samples; it {verdict}{ungraded}."
