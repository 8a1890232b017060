"""The answers to a question: a table with gold and majority, and how the shares move over checkpoints."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from app.markdown import escaped
from app.queries.answers import Votes
from app.views.question_charts import answer_rows, answer_title, answers_chart
from orz_bench.errors import counted

_ROW_PX = 28
_MOST_ROWS = 7


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
        shown = table[["answer", "samples", *ends]]
        number = st.column_config.NumberColumn
        st.dataframe(
            shown, key=f"answers:{key}", hide_index=True, row_height=_ROW_PX,
            height=min(len(shown), _MOST_ROWS) * _ROW_PX + 40,
            column_config={"answer": st.column_config.TextColumn(width=170), "samples": number(width=65)}
            | {name: number(f"{name}, %", format="%.0f") for name in ends},
        )  # fmt: skip
        st.caption(f"{counted(len(table), 'answer')}; ✓ is right, whatever its spelling.")
    with right:
        st.altair_chart(answers_chart(table), key=f"answers:chart:{key}", height=190)


def _said(votes: Votes) -> str:
    """The majority in words."""
    most = votes.majority
    if most is None:
        return "No majority: a tie, or no answer."
    share = votes.counts[most] / votes.total
    verdict = "is the gold" if most.is_right else f"is not the gold, {escaped(votes.gold[:80])}"
    ungraded = f" ({counted(votes.num_ungraded, 'sample')} without a verdict)" if votes.num_ungraded else ""
    return f"Majority: **{escaped(answer_title(most)[2:])}** with {share:.0%} of the samples; it {verdict}{ungraded}."
