"""The page Suspicious: rollouts worth a look, strongest reason first, and the effect of overrides on scores."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from app import url
from app.judging.overrides import both_scores
from app.markdown import escaped
from app.queries.filters import QueueFilters
from app.queries.reasons import BY_NAME, REASONS
from app.queries.selection import told_reasons
from app.views import address
from app.views.context import Context
from app.views.explorer import explorer
from app.views.opened import OpenRun, open_run
from app.views.shown import showing


def render(context: Context) -> None:
    """Draw the page of the chosen run: reasons with their counts, the list and the reader, scores with overrides."""
    opened = open_run(context)
    reasons = st.container()
    counts = explorer(opened, kind=QueueFilters, reason_first=True)
    if counts is not None:
        with reasons:
            _reasons(opened, counts["reasons"])
    _scores(opened)


def _reasons(opened: OpenRun, counts: Mapping[str, int]) -> None:
    is_measured = opened.coverage.num_measured >= opened.coverage.num_parts
    critics, told = opened.index.critics(), told_reasons(opened.index)
    default = QueueFilters().reasons
    chosen = url.read(QueueFilters, address.parameters()).state.reasons
    shown = showing("suspicious:reasons", [] if chosen == default else list(chosen))

    def titled(name: str) -> str:
        """Unknown without what it looks at; a lower bound while responses are being measured."""
        number, reason = counts.get(name, 0), BY_NAME[name]
        is_known = name in told and (is_measured or not reason.needs_measures)
        return f"{reason.title}  {f'{number:,}' if is_known else f'{number:,} so far' if number else '–'}"

    st.pills(
        "Reasons, strongest first; choose none for all", list(BY_NAME), selection_mode="multi",
        key=shown.key, format_func=titled,
        on_change=shown.chosen(lambda names: address.write_filters(QueueFilters, reasons=tuple(names) or default)),
        wrap=True, help="\n\n".join(f"**{reason.title}**: {reason.meaning}" for reason in REASONS),
    )  # fmt: skip
    if critics:
        whose = "the critic" if len(critics) == 1 else "the critics"
        st.caption(f"Values are those of {whose} {escaped(', '.join(critics))}.")


def _scores(opened: OpenRun) -> None:
    """The scores of evaluations with overrides: as graded, and with the overrides."""
    annotations = opened.annotations.of_run()
    verdicts = {response: found.verdict for response, found in annotations.items() if found.verdict is not None}
    scores = both_scores(opened.index, verdicts) if verdicts else []
    if not scores:
        return
    st.subheader("Scores with overrides", anchor=False)
    st.dataframe(
        pd.DataFrame(
            {
                "benchmark": [score.benchmark for score in scores],
                "step": [score.step for score in scores],
                "problems": [score.num_problems for score in scores],
                "samples": [score.num_samples for score in scores],
                "avg@n as graded": pd.array([_percent(score.original) for score in scores], dtype="Float64"),
                "avg@n with overrides": pd.array([_percent(score.overridden) for score in scores], dtype="Float64"),
                "overrides": [score.num_overrides for score in scores],
                "changing correctness": [score.num_changed for score in scores],
            }
        ),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f %%")
            for name in ("avg@n as graded", "avg@n with overrides")
        },
    )
    unknown = any(score.original is None or score.overridden is None for score in scores)
    note = " An evaluation that has a sample without a verdict, or has lost samples, has no score." if unknown else ""
    st.caption(f"Rollouts, summaries and reports keep the grader's verdicts.{note}")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
