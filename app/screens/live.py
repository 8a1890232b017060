"""The page Live: what a training does now. Its newest rollouts, its health warnings, and what changed since a step."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import url
from app.markdown import escaped
from app.queries.causes import HealthWarning, cause_of, filters_of, warning_of
from app.queries.filters import Filters
from app.queries.keys import key_text
from app.queries.newest import Figures, figures, sampled_steps
from app.queries.rows import page as page_of
from app.queries.selection import select
from app.runs.changes import WINDOW, changes_since, last_step
from app.runs.folder import RunEntry
from app.views import address
from app.views.address import parameters, read_state, write_state
from app.views.context import Context
from app.views.list_columns import column_config, frame_of
from app.views.opened import OpenRun, draw_followed, open_run, show_damage
from app.views.rollout_list import ROW_PX, chosen_row
from app.views.shown import reading
from orz_bench.errors import counted
from orz_bench.records.run_dir import RunDir

MOST_ROLLOUTS = 16
MOST_WARNINGS = 20
_COLUMNS = ("verdict", "problem", "extracted", "gold", "sample", "tokens", "right", "reward", "response")
_PICKED = "live:picked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    since: int | None = None
    """The step up to which the reader has looked."""


def render(context: Context) -> None:
    """Draw the page; that of a running training follows it."""
    draw_followed(_body, context)


def _body(context: Context) -> None:
    state = read_state(LiveState)
    opened = open_run(context, measures=False)
    show_damage(opened)
    directory = RunDir(context.run.path)
    rows, _ = directory.metrics()
    warnings = [warning_of(event) for event in directory.events("warning")]
    _follow(context)
    now = next((entry for entry in context.folder.runs() if entry.name == context.run.name), context.run)
    _state(now, rows)
    steps = sampled_steps(opened.index)
    left, right = st.columns([5, 7], gap="large")
    with left:
        _changes(state, rows, warnings=warnings)
        _warnings(context, opened, warnings=warnings, steps=steps)
    with right:
        _newest(opened, steps, is_growing=now.is_growing)
    if context.run.is_growing and not now.is_growing:
        st.rerun()


def _state(entry: RunEntry, rows: Sequence[Mapping[str, Any]]) -> None:
    last, ago = last_step(rows), max(time.time() - entry.modified, 0.0)
    ended = "is running" if entry.is_growing else f"has {entry.state}" if entry.state != "failed" else "failed"
    step = "no step finished yet" if last is None else f"step {last:,} finished"
    since = f"{ago:,.0f} s" if ago < 600 else f"{ago / 60:,.0f} min" if ago < 7200 else f"{ago / 3600:,.0f} h"
    st.markdown(f"**{escaped(entry.title)}** {ended}: {step}, last written {since} ago.")
    if entry.origin.told:
        st.caption(escaped(f"{entry.origin.told[0].upper()}{entry.origin.told[1:]}."))


def _changes(state: LiveState, rows: Sequence[Mapping[str, Any]], *, warnings: Sequence[HealthWarning]) -> None:
    last = last_step(rows)
    title, button = st.columns([5, 3], vertical_alignment="center")
    title.markdown("**Since you last looked**")
    button.button(
        "I have looked", key="live:looked", icon=":material/visibility:", width="stretch", disabled=last is None,
        on_click=lambda: write_state(LiveState, since=last),
        help="Puts the last finished step into the address: what is new after it is listed here from then on, also "
        "from a bookmark of this page.",
    )  # fmt: skip
    if state.since is None:
        st.caption("Nothing to compare with yet: *I have looked* remembers the last finished step in the address.")
        return
    if last is None or state.since > last:
        st.warning(f"since={state.since} in the address: the run has not come that far; its last step is {last or 0}.")
        return
    new = last - state.since
    num_warnings = sum(one.step > state.since for one in warnings)
    st.caption(
        f"{counted(new, 'new step')} after step {state.since:,}, {counted(num_warnings, 'new warning')}."
        + (f" Means of {WINDOW} steps up to then, and of the last new ones:" if new else "")
    )
    if new:
        frame = pd.DataFrame(
            [{"metric": one.metric, "then": one.then, "now": one.now, "unit": one.unit}
             for one in changes_since(rows, state.since)],
            columns=["metric", "then", "now", "unit"],
        )  # fmt: skip
        number = st.column_config.NumberColumn(format="%.4g", width=80)
        st.dataframe(
            frame, key="live:changes", hide_index=True, row_height=ROW_PX, placeholder="–",
            height=ROW_PX * len(frame) + 40, column_config={"then": number, "now": number},
        )  # fmt: skip


def _warnings(context: Context, opened: OpenRun, *, warnings: Sequence[HealthWarning], steps: Sequence[int]) -> None:
    st.markdown("**Health warnings**")
    if not warnings:
        st.caption("None.")
    for one in warnings[::-1][:MOST_WARNINGS]:
        st.markdown(f":material/warning: Step {one.step:,}: {escaped(one.text)}")
        filters, cause = filters_of(one, steps), cause_of(one)
        found = select(opened.index, filters).total
        first, last = filters.step[0], filters.step[-1]
        at = f"step {first:,}" if first == last else f"steps {first:,} to {last:,}"
        exact = "" if cause.is_exact else " (no single one of them causes it)"
        if not found:
            st.caption(f"No rollout of it is stored ({cause.title}, {at}).")
        elif "rollouts" in context.pages:
            st.page_link(
                context.pages["rollouts"], label=f"{counted(found, 'rollout')}, {cause.title}, {at}{exact}",
                icon=":material/article:", query_params={"run": [opened.name]} | url.parameters(filters),
            )  # fmt: skip
    if len(warnings) > MOST_WARNINGS:
        st.caption(f"and {len(warnings) - MOST_WARNINGS:,} older ones, on the page Training.")


def _newest(opened: OpenRun, steps: Sequence[int], *, is_growing: bool) -> None:
    st.markdown("**Newest rollouts**")
    if not steps:
        more = "yet. The first ones appear here by themselves." if is_growing else "in this run, which has ended."
        st.info(f"No rollout of a training step {more}")
        return
    selection = select(opened.index, Filters(kind="train", step=(steps[-1],)))
    rows = page_of(opened.index, selection, offset=0, limit=MOST_ROLLOUTS)
    st.caption(_told(figures(opened.index, selection), step=steps[-1]))
    keys = [row.key for row in rows]
    shown = reading(f"live:rollouts:{hash(tuple(row.id for row in rows))}", None, read=chosen_row)

    def opens(place: int | None) -> None:
        if place is not None and place < len(keys):
            st.session_state[_PICKED] = key_text(keys[place])

    frame = frame_of(rows, _COLUMNS, given={})
    kept = [name for name in _COLUMNS if not frame[name].isna().all()]
    st.dataframe(
        frame, column_order=kept, key=shown.key, on_select=shown.chosen(opens), hide_index=True, placeholder="–",
        selection_mode=["single-row", "single-cell"], row_height=ROW_PX, height=ROW_PX * len(rows) + 40,
        column_config=column_config(frame),
    )  # fmt: skip
    st.caption(f"The first {counted(len(rows), 'rollout')} of this step. A click on one opens it on the page Rollouts.")


def _told(found: Figures, *, step: int) -> str:
    parts = [f"Step {step:,}: {counted(found.num, 'rollout')}"]
    parts += [f"{found.num_correct:,} of {found.num_graded:,} correct"] if found.num_graded else []
    parts += [f"mean reward {found.mean_reward:.3g}"] if found.mean_reward is not None else []
    parts += [f"{found.mean_tokens:,.0f} tokens on average"] if found.mean_tokens is not None else []
    return ", ".join([*parts, f"{found.num_truncated:,} truncated"]) + "."


def _follow(context: Context) -> None:
    """Open the rollout that was clicked on."""
    picked = st.session_state.pop(_PICKED, None)
    if picked is not None:
        step = picked.split("~")[1]
        target = {"run": [context.run.name], "kind": ["train"], "step": [step], address.ROW: [picked]}
        # With this page's own state too: Streamlit puts this page with the new address into the history.
        context.go("rollouts", parameters() | target)
