"""A list of rollouts with filters and a reader: the body of the pages Rollouts and Suspicious."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from app import url
from app.markdown import escaped
from app.queries.absent import absent
from app.queries.facts import are_known, fact_values
from app.queries.filters import Filters, as_filters
from app.queries.hit_shares import hit_shares
from app.queries.index import RunIndex
from app.queries.reasons import BY_NAME
from app.queries.selection import Selection, facets, select
from app.views import address
from app.views.charts import PICKED
from app.views.failures import shown_errors
from app.views.filter_bar import Counts, Facts, filter_bar
from app.views.fragments import fragment
from app.views.hit_charts import SHARES_PX, shares_chart
from app.views.list_view import grouped, list_view, view_menu
from app.views.opened import OpenRun, show_progress
from app.views.reader import reader
from app.views.rollout_list import first_of_page, page_number, rollout_list
from app.views.style import ROLLOUT_STYLE
from orz_bench.errors import OrzError, counted


def explorer(opened: OpenRun, *, kind: type[Filters], reason_first: bool = False) -> Counts | None:
    """Draw it all; returns the facets under the filters, or None where a filter is invalid (and says so)."""
    st.html(ROLLOUT_STYLE)
    show_progress(opened)
    filters = address.read_state(kind)
    marks = opened.marks()
    try:
        with st.spinner("Searching the responses" if filters.text else "Filtering", show_time=bool(filters.text)):
            if filters.text:
                select(opened.index, replace(filters, step=()), marks=marks)  # all steps are searched once
            selection = select(opened.index, filters, marks=marks)
            counts: Counts = facets(opened.index, selection)
    except OrzError as error:
        with st.container(key="filter-bar"):
            filter_bar(filters, _NO_COUNTS, tags=marks.tags, facts={})
        st.error(escaped(str(error)))
        return None
    facts = facts_of(opened.index, filters, num_parts=opened.coverage.num_parts)
    with st.container(key="filter-bar"):
        filter_bar(filters, counts, tags=marks.tags, facts=facts)
    with st.container(key="absent"):  # always there: see show_progress
        say_absent(opened, filters)
    with st.container(key="shares"):  # always there: see show_progress
        if filters.text:
            _shares(opened, filters)
    state = list_view()
    with st.container(horizontal=True, vertical_alignment="center", key="list-head"):
        _count(selection, waits_for=_waits_for(opened, filters), is_filtered=filters != kind())
        view_menu(opened, filters, state=state, facts=list(facts) if isinstance(facts, Mapping) else [])
        _export_link(opened, filters)
    if state.group and selection.total:
        with shown_errors():
            grouped(opened, selection, by=state.group, kind=kind)
    if selection.total:
        fragment(_list_and_reader)(opened, selection, columns=state.column, reason_first=reason_first)
    return counts


def say_absent(opened: OpenRun, filters: Filters) -> None:
    """Name the values of filters that no rollout of the run has."""
    for name, values in absent(opened.index, filters, marks=opened.marks()).items():
        more = f" and {len(values) - 3:,} more" if len(values) > 3 else ""
        named = ", ".join(repr(value[:60]) for value in values[:3])
        st.warning(escaped(f"{name}={named}{more} in the address: no rollout of this run has it."))


MOST_PARTS = 300
"""Of more parts the facts of questions are read on request: that takes a second for a thousand."""


def facts_of(index: RunIndex, filters: Filters, *, num_parts: int) -> Facts:
    """The values of each fact of the questions, or what reads them."""
    is_quick = bool(filters.about) or num_parts <= MOST_PARTS or are_known(index)
    if is_quick:
        return fact_values(index)

    def read() -> None:
        fact_values(index)

    return read


_NO_COUNTS: Counts = {name: {} for name in ("benchmark", "step", "verdict", "stop_reason", "reasons")}


def _waits_for(opened: OpenRun, filters: Filters) -> str:
    """What these filters still wait for, while the responses are being measured; empty for nothing."""
    measured, parts = opened.coverage.num_measured, opened.coverage.num_parts
    needed = any(BY_NAME[name].needs_measures for name in filters.reasons if name in BY_NAME)
    needed = needed or (filters.min_reflections, filters.max_reflections) != (None, None)
    return f"{measured:,} of {counted(parts, 'part')} measured" if needed and measured < parts else ""


def _count(selection: Selection, *, waits_for: str, is_filtered: bool) -> None:
    if waits_for:
        number = f"**{selection.total:,}** rollouts" if selection.total else "No rollout"
        st.markdown(f"{number} so far: {waits_for}.")
    elif selection.total == 0 and not is_filtered:
        st.info("This run has no such rollout.")
    elif selection.total == 0:
        st.info("No rollout matches these filters. Relax one of them, or clear them all under Filters.")
    elif selection.num_hits is not None:
        st.markdown(f"**{selection.total:,}** rollouts · **{selection.num_hits:,}** hits")
    else:
        st.markdown(f"**{selection.total:,}** rollouts")


def _export_link(opened: OpenRun, filters: Filters) -> None:
    """Link to the page Report with these filters in its address: all of them, also those that this page sets itself."""
    if "report" in opened.context.pages:
        st.page_link(
            opened.context.pages["report"], label="Export", icon=":material/download:",
            query_params={"run": [run.name for run in opened.context.runs], "rows": ["rollouts"]}
            | url.parameters(as_filters(filters)),
        )  # fmt: skip


def _shares(opened: OpenRun, filters: Filters) -> None:
    """The share of rollouts with a hit over the steps; a click chooses a step."""
    shares = hit_shares(opened.index, filters, marks=opened.marks())
    if len({share.step for share in shares}) < 2:
        return
    key = f"shares:{st.session_state.get('shares:round', 0)}"

    def choose() -> None:
        rows = st.session_state[key]["selection"].get(PICKED) or []
        if rows:
            st.session_state["shares:round"] = st.session_state.get("shares:round", 0) + 1
            address.write_filters(type(filters), step=(int(rows[0]["step"]),))

    chart = shares_chart(shares, chosen=filters.step)
    st.altair_chart(chart, key=key, on_select=choose, selection_mode=[PICKED], height=SHARES_PX)


def _list_and_reader(opened: OpenRun, selection: Selection, *, columns: Sequence[str], reason_first: bool) -> None:
    """Next, previous and a click in the list redraw only this."""
    with shown_errors():
        _beside_each_other(opened, selection, columns=columns, reason_first=reason_first)


def _beside_each_other(opened: OpenRun, selection: Selection, *, columns: Sequence[str], reason_first: bool) -> None:
    current = address.row()
    number = page_number(opened, selection, current=current)
    with st.container(key="list-and-reader"):  # above each other where the window is narrow, or enlarged
        listed, read = st.columns([5, 6], gap="medium")
    with read:  # first, because it is what a reader waits for
        is_named = bool(address.value(address.ROW))
        shown = current if is_named else first_of_page(opened, selection, number=number)
        reader(opened, selection, key=shown)
    with listed:
        rollout_list(opened, selection, current=shown, number=number, columns=columns, reason_first=reason_first)
