"""The page Findings: what every analysis says of one run, with its figure, its numbers and its command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import streamlit as st

from analysis.curves.study import Study
from analysis.report.analyses import ANALYSES, Analysis, Found
from analysis.report.finding import Finding
from app.markdown import escaped, plain
from app.runs.findings import Shown, shown_of, stamp_of_files
from app.runs.run_rows import stamp_of
from app.views.address import read_state, write_state
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.loaded import study_of
from app.views.opened import say_gone

_MOST_FINDINGS = 4
"""The last ones, which are shown without a click: a run may have one for each evaluation."""
_BY_NAME = {analysis.name: analysis for analysis in ANALYSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingsState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    computed: tuple[Literal["values", "boundary", "forecast", "tokens", "weights"], ...] = ()
    """Analyses that take time, and that the reader has asked for."""


def render(context: Context) -> None:
    """Draw the page of the chosen run."""
    if say_gone(context.runs):
        return
    state = read_state(FindingsState)
    study = study_of(context.run)
    for analysis in ANALYSES:
        with shown_errors():
            _section(analysis, study, state=state)


def _section(analysis: Analysis, study: Study, *, state: FindingsState) -> None:
    title, command = st.columns([4, 5], gap="large", vertical_alignment="center")
    title.markdown(f"**{analysis.title}**  \n{escaped(analysis.asks)}")
    lines = analysis.command(study).splitlines()
    command.code("\n".join(map(plain, lines)), language=None, wrap_lines=True)
    files = stamp_of_files(study.run.path, analysis)
    if analysis.files and not files:
        st.markdown("– Nothing is stored in this run yet: the command computes it.")
    elif analysis.is_slow and analysis.name not in state.computed:
        st.button(
            "Compute", key=f"findings:{analysis.name}", icon=":material/calculate:",
            on_click=lambda: write_state(FindingsState, computed=(*state.computed, analysis.name)),
            help="Reads the run and shows the result here; the command shows the same in a terminal.",
        )  # fmt: skip
    else:
        key = (study.run.name, *stamp_of(study.run.path), *files)
        _show(analysis.name, _shown(analysis.name, key, _study=study))
    st.divider()


def _show(name: str, shown: Shown) -> None:
    found = shown.found
    if found.is_empty:
        st.markdown(f"– {escaped(found.refusal)}")
        return
    earlier, last = found.findings[:-_MOST_FINDINGS], found.findings[-_MOST_FINDINGS:]
    if earlier:
        with st.expander(f"{len(earlier):,} more, of earlier evaluations"):
            st.markdown("\n\n".join(map(_text, earlier)))
    for finding in last:
        st.markdown(_text(finding))
    _tables(name, found)
    if shown.png is not None and found.figure is not None:
        caption = found.figure.caption
        st.image(shown.png, width=shown.width_px, caption=escaped(caption), alt=caption)
    if found.refusal:
        st.caption(escaped(found.refusal))


def _text(finding: Finding) -> str:
    """A finding as Markdown that is inert."""
    details = "".join(f"\n- {escaped(detail)}" for detail in finding.details)
    return f"{escaped(finding.question)} **{escaped(finding.headline)}**\n{details}"


def _tables(name: str, found: Found) -> None:
    for number, table in enumerate(found.tables):
        st.caption(escaped(" ".join((f"{table.title}.", table.note))))
        frame = pd.DataFrame([[plain(cell) for cell in row] for row in table.rows], columns=list(table.headings))
        st.dataframe(frame, key=f"findings:table:{name}:{number}", hide_index=True, width="content")


@st.cache_resource(max_entries=64, show_spinner="Reading the run and drawing the figure", show_time=True)
def _shown(name: str, key: tuple[object, ...], *, _study: Study) -> Shown:  # noqa: ARG001 - the key of the cache
    return shown_of(_BY_NAME[name], _study)
