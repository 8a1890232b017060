"""The queue of rollouts worth a look, most telling reason first, and what overrides do to the scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
import streamlit as st

from app.judging.overrides import both_scores
from app.queries.filters import QueueFilters
from app.queries.reasons import BY_NAME, REASONS
from app.views import address
from app.views.explorer import explorer
from app.views.opened import OpenRun


def suspicious_page(opened: OpenRun) -> None:
    """Draw the page: a switch a reason with its count, the list and the reader, scores with overrides."""
    reasons = st.container()
    counts = explorer(opened, kind=QueueFilters)
    if counts is not None:
        with reasons:
            _reasons(counts["reasons"])
    _scores(opened)


def _reasons(counts: Mapping[str, int]) -> None:
    filters = address.filters(QueueFilters)
    st.session_state["suspicious:reasons"] = [] if filters.reasons == QueueFilters().reasons else list(filters.reasons)

    def change() -> None:
        chosen = tuple(st.session_state["suspicious:reasons"]) or QueueFilters().reasons
        address.put_filters(replace(address.filters(QueueFilters), reasons=chosen))

    st.pills(
        "Reasons, most telling first; none chosen means all of them", list(BY_NAME), selection_mode="multi",
        key="suspicious:reasons", format_func=lambda name: f"{BY_NAME[name].title}  {counts.get(name, 0):,}",
        on_change=change, wrap=True, help="\n\n".join(f"**{reason.title}**: {reason.meaning}" for reason in REASONS),
    )  # fmt: skip


def _scores(opened: OpenRun) -> None:
    """The scores of evaluations with overrides: as graded, and beside it as people see it."""
    annotations = opened.annotations.of_run()
    verdicts = {response: found.verdict for response, found in annotations.items() if found.verdict is not None}
    scores = both_scores(opened.index, verdicts) if verdicts else []
    if not scores:
        return
    st.subheader("Scores with overrides beside the originals", anchor=False)
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
                "that change right or wrong": [score.num_changed for score in scores],
            }
        ),
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="%.2f %%")
            for name in ("avg@n as graded", "avg@n with overrides")
        },
    )
    unknown = any(score.original is None or score.overridden is None for score in scores)
    told = " No score stands where a sample has no verdict." if unknown else ""
    st.caption(f"The rollouts, summaries and reports keep the grader's verdicts.{told}")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share
