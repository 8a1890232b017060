"""The page Runs: all runs of the folder with state, steps and last scores; ticked ones open on other pages."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from app import url
from app.markdown import escaped, plain
from app.runs.folder import RunEntry
from app.runs.run_rows import runs_table
from app.runs.tree import tree_of
from app.views.context import TAIL_S, Context
from app.views.failures import shown_errors
from app.views.fragments import fragment
from app.views.loaded import row_of
from app.views.names import column_px, told_apart
from app.views.run_choice import MAX_RUNS, put
from app.views.shown import reading

_STATES = {
    "running": "● running", "finished": "✓ finished", "failed": "✗ failed", "crashed": "✗ crashed",
    "unreadable": "! unreadable",
}  # fmt: skip
_ROW_PX = 34
_MAX_HEIGHT_PX = 560
_NAME_CHARS = 34
_LINKS = (
    ("training", "Training", ":material/show_chart:"),
    ("benchmarks", "Benchmarks", ":material/leaderboard:"),
    ("rollouts", "Rollouts", ":material/article:"),
    ("suspicious", "Suspicious", ":material/flag:"),
    ("report", "Report", ":material/summarize:"),
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The state of the page."""

    run: tuple[str, ...] = ()


def render(context: Context) -> None:
    """Draw the page."""
    grows = any(entry.is_growing for entry in context.entries)
    fragment(_body, run_every=TAIL_S if grows else None)(context)


def _body(context: Context) -> None:
    with shown_errors():
        entries = context.folder.runs()
        _links(context)
        _table(entries, [entry.name for entry in context.runs])
        _tree(entries)
        if any(now.state != before.state for now, before in zip(entries, context.entries, strict=False)):
            st.rerun()


def _links(context: Context) -> None:
    names = tuple(entry.name for entry in context.runs)
    growing = sum(entry.is_growing for entry in context.entries)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="run-links"):
        number = f"{len(context.entries):,} run{'s' if len(context.entries) > 1 else ''}"
        running = f", {growing} running" if growing else ""
        folder = context.folder.path
        st.markdown(f"{number}{running} in {escaped(folder.name)}/", width="stretch", help=escaped(str(folder)))
        if not names:  # a disabled link is faint, and to a screen reader a link like any other
            st.caption("Tick a run to open it.", width="content")
            return
        for page, title, icon in _LINKS:
            if page in context.pages:
                st.page_link(
                    context.pages[page], label=title, icon=icon, query_params=url.parameters(Chosen(names)),
                )  # fmt: skip


def _table(entries: list[RunEntry], chosen: list[str]) -> None:
    table = runs_table(entries, [row_of(entry) for entry in entries])
    table["state"] = [_STATES[state] for state in table["state"]]
    names = list(table["name"])
    titles = [plain(entry.title) for entry in entries]
    table["name"] = list(map(told_apart(titles, limit=_NAME_CHARS).__getitem__, titles))
    # The key depends on the rows: a new run starts a new selection, which is taken from the address.
    rows = sorted(names.index(name) for name in chosen if name in names)
    shown = reading(f"runs:table:{hash(tuple(names))}", rows, read=lambda state: sorted(state["selection"]["rows"]))
    st.dataframe(
        table, key=shown.key, hide_index=True, row_height=_ROW_PX, selection_mode="multi-row",
        height=min(_MAX_HEIGHT_PX, _ROW_PX * (len(table) + 1) + 3), column_config=_columns(table), placeholder="–",
        on_select=shown.chosen(lambda ticked: put([names[row] for row in ticked][:MAX_RUNS])),
        selection_default={"selection": {"rows": rows}},
    )  # fmt: skip
    scores = "Scores: percent at the last evaluated step (95 % interval over questions; of sampling). "
    st.caption(
        "With the keyboard: arrows move in the table, Shift+Space ticks a run. "
        f"{scores if any(column.startswith('score:') for column in map(str, table)) else ''}"
        "Steps: completed / configured. Reward: mean reward of each training step."
    )


def _tree(entries: list[RunEntry]) -> None:
    """Which run was made from which; nothing where none was made from another one."""
    lines = tree_of(entries)
    if not lines:
        return
    st.markdown(
        "**Branches and replays**",
        help="`orz-rl train --from RUN@STEP` goes on from a checkpoint of a run, `--replay RUN` learns its rollouts.",
    )
    rows = "".join(
        f"{html.escape(line.branch)}<b>{html.escape(plain(line.name))}</b>"
        f"{html.escape(f'  {plain(line.told)}' if line.told else '')}\n"
        for line in lines
    )
    st.html(f'<pre class="orz-tree">{rows}</pre>')


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    scores = {
        column: st.column_config.TextColumn(
            plain(column.removeprefix("score:")), width=column_px(table[column].dropna(), least=90)
        )
        for column in map(str, table)
        if column.startswith("score:")
    }
    return {
        "name": st.column_config.TextColumn("Run", pinned=True, width=column_px(table["name"], least=120)),
        "state": st.column_config.TextColumn("State", width=100),
        "steps": st.column_config.TextColumn("Steps", width=90),
        "reward": st.column_config.LineChartColumn("Reward", width=150, color="blue"),
        **scores,
        "written": st.column_config.DatetimeColumn("Last written", format="distance", width=120),
        "kind": st.column_config.TextColumn("Kind", width=90),
        "seed": st.column_config.NumberColumn("Seed", format="%d", width=60),
        "note": st.column_config.TextColumn("Notes", width="medium"),
    }
