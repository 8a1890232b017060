"""The page Report: the analysis report of the chosen runs, and exports of the app's data."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from analysis.texts.lexicons import LEXICON_GROUP, get_lexicon
from app.judging.travel import judgement_columns
from app.markdown import escaped
from app.queries.exports import FORMATS, exported
from app.queries.filters import Filters
from app.queries.keys import Response
from app.queries.rollout_export import MOST_ROWS, selected_rows
from app.queries.selection import Selection, select
from app.runs.report import metric_rows, report_page, score_rows
from app.runs.run_rows import Stamp, stamp_of
from app.views.address import read_state, write_state
from app.views.context import Context
from app.views.explorer import say_absent
from app.views.failures import shown_errors
from app.views.importing import import_panel
from app.views.loaded import study_of
from app.views.names import run_title
from app.views.opened import OpenRun, open_run
from app.views.shown import showing
from orz_bench.records.run_dir import RunDir

_HEIGHT_PX = 900
_SOURCES = {
    "scores": "Evaluation scores", "metrics": "Metrics of all steps", "rollouts": "Selected rollouts",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportState:
    """The state of the page."""

    run: tuple[str, ...] = ()
    made: bool = False
    """Whether to make the report; it takes time, so it is made on request only."""
    lexicon: str = "orz-code"
    rows: Literal["scores", "metrics", "rollouts"] = "scores"
    format: Literal["csv", "csv-safe", "jsonl", "md", "html"] = "csv"


def render(context: Context) -> None:
    """Draw the page."""
    state = read_state(ReportState)
    report, export = st.columns([3, 2], gap="large")
    with report, shown_errors():
        _controls(state)
    with export:
        with shown_errors():
            _export(context, state)
        with shown_errors():
            import_panel(context)
    if state.made:
        with shown_errors():
            _report(context, state)


def _controls(state: ReportState) -> None:
    st.markdown(
        "**Analysis report**",
        help="What the model learned, with figures, tables and examples: one self-contained HTML page.",
    )
    lexicon, button = st.columns([3, 2], vertical_alignment="bottom")
    shown = showing("report:lexicon", get_lexicon(state.lexicon).name)
    lexicon.selectbox(
        "Count reflections with", _lexicons(), key=shown.key,
        on_change=shown.chosen(lambda name: write_state(ReportState, lexicon=name)),
    )  # fmt: skip
    if state.made:
        return
    button.button(
        "Make the report", icon=":material/summarize:", type="primary", width="stretch",
        on_click=lambda: write_state(ReportState, made=True),
    )  # fmt: skip
    st.caption(
        "Did it learn, when, how, does reflection go with correct answers, is it healthy: with figures, intervals and "
        "examples. Making the report reads all responses: about ten seconds per 10,000."
    )


def _lexicons() -> list[str]:
    """Their names; those of other packages that cannot be used are named."""
    usable, faults = LEXICON_GROUP.load_all()
    for fault in faults:
        st.caption(escaped(f"Lexicon {fault}"))
    return list(usable)


def _export(context: Context, state: ReportState) -> None:
    st.markdown("**Export**", help="Data of the runs chosen above.")
    rows, format_, button = st.columns([3, 2, 2], vertical_alignment="bottom")
    shown = showing("report:rows", state.rows)
    rows.selectbox(
        "Rows", list(_SOURCES), key=shown.key, format_func=_SOURCES.__getitem__,
        on_change=shown.chosen(lambda name: write_state(ReportState, rows=name)),
    )  # fmt: skip
    shown = showing("report:format", state.format)
    format_.selectbox(
        "Format", list(FORMATS), key=shown.key, format_func=lambda name: FORMATS[name].title,
        on_change=shown.chosen(lambda name: write_state(ReportState, format=name)),
    )  # fmt: skip
    data: bytes | Callable[[], bytes] | None
    data = _rollouts(context, state) if state.rows == "rollouts" else _small(context, state)
    chosen = FORMATS[state.format]
    button.download_button(
        "Download", data or b"", file_name=f"{state.rows}.{chosen.suffix}", mime=chosen.mime,
        icon=":material/download:", on_click="ignore", disabled=not data, width="stretch",
    )  # fmt: skip


def _small(context: Context, state: ReportState) -> bytes:
    studies = [study_of(entry) for entry in context.runs]
    return exported((score_rows if state.rows == "scores" else metric_rows)(studies), state.format)


def _rollouts(context: Context, state: ReportState) -> Callable[[], bytes] | None:
    """The rollouts of the first run that match the filters in the address; they are read on a click."""
    if context.lacks_first:
        st.caption("The first run of the address, whose rollouts it names, is not in this folder; choose a run above.")
        return None
    opened = open_run(context)
    filters = read_state(Filters)
    say_absent(opened, filters)
    selection = select(opened.index, filters, marks=opened.marks())
    num = min(selection.total, MOST_ROWS)
    of = f"{num:,} of {selection.total:,}" if num < selection.total else f"{num:,}"
    st.caption(f"{of} rollouts of {escaped(context.run.title)}, selected by the filters of the page Rollouts.")
    return (lambda: exported(_rows(opened, selection), state.format)) if num else None


def _rows(opened: OpenRun, selection: Selection) -> Iterator[dict[str, Any]]:
    """The rows of the selection with their run and judgements."""
    identity, entries = opened.annotations.run, opened.annotations.entries()
    run = {
        "run": run_title(opened.name),
        "run_id": identity.id,
        "run_seed": RunDir(opened.index.run).info().get("seed"),
    }

    def judged(response: Response) -> dict[str, Any]:
        """Those of the text, and those of an older version, which did not store it."""
        about = (response, Response(response.key, ""))
        found = [(at, entry) for at in about for entry in entries.get(at, ())]
        return judgement_columns(identity, sorted(found, key=lambda pair: pair[1].time))

    return selected_rows(opened.index, selection, run=run, judged=judged)


def _report(context: Context, state: ReportState) -> None:
    runs = tuple((entry.title, str(entry.path), stamp_of(entry.path)) for entry in context.runs)
    page = _page(runs, state.lexicon)
    names = "-".join(entry.name.replace("/", "_") for entry in context.runs)
    st.download_button(
        "Download the page", page, file_name=f"report-{names[:80]}.html", mime="text/html",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    # The outer frame is Streamlit's, which allows scripts; the inner one allows nothing.
    st.iframe(
        "<!doctype html><style>html,body{margin:0;height:100%}iframe{border:0;width:100%;height:100%}</style>"
        f'<iframe sandbox="" title="Analysis report" srcdoc="{html.escape(page)}"></iframe>',
        height=_HEIGHT_PX,
    )


@st.cache_data(max_entries=4, show_spinner="Reading the responses and drawing the figures", show_time=True)
def _page(runs: tuple[tuple[str, str, Stamp], ...], lexicon: str) -> str:
    return report_page([(name, Path(path)) for name, path, _ in runs], lexicon=lexicon)
