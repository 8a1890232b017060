"""An opened run for the pages about rollouts: its index, cached for all sessions, and its annotations."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path

import streamlit as st

from app.judging.annotations import Annotations, RunIdentity
from app.judging.side_folder import side_folder
from app.markdown import escaped
from app.queries.index import Coverage, RunIndex
from app.queries.keys import Response, hash_of_text, hash_text
from app.queries.losses import losses
from app.queries.measure_files import MeasureFiles
from app.queries.measuring import is_measuring, start_measuring
from app.queries.rows import Row, text_of
from app.queries.selection import MarkedRow, Marks
from app.runs.folder import RunEntry
from app.views.context import Context
from app.views.failures import shown_errors
from app.views.fragments import fragment
from orz_bench.errors import counted
from orz_bench.records.retention import reduction_note
from orz_bench.records.run_dir import RunDir

MAX_OPEN_RUNS = 8
"""Number of indexes kept in memory, of the runs viewed last."""
MOST_LOSSES = 5
PROGRESS_S = 2.0
"""Refresh interval of the progress of measuring."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """An opened run."""

    name: str
    """Its path below the runs folder: its name in addresses."""
    index: RunIndex
    coverage: Coverage
    annotations: Annotations
    context: Context

    def marks(self) -> Marks:
        """The annotations in the form that the filters need."""
        return _marks(str(self.annotations.path), self.annotations.run, version=self.annotations.version())

    def response(self, row: Row) -> Response:
        """The response that an annotation of this row refers to: its key and the hash of its text."""
        known = row.text_hash if row.text_hash is not None else text_of(self.index, row).text_hash
        return Response(row.key, hash_text(known))


def open_run(context: Context, *, measures: bool = True) -> OpenRun:
    """The chosen run: its refreshed index and the annotations. Starts measuring if measures are missing and wanted.

    RunDirError for a run of a newer version, DataError for unusable annotations.
    """
    side, entry = side_folder(context.folder.path), context.run
    index = _index(str(entry.path), entry.name, side=str(side))
    with st.spinner("Reading the run's rollouts", show_time=True):
        coverage = index.refresh()
    if measures and coverage.num_measured < coverage.num_parts:
        start_measuring(index.measure_files)
    annotations = Annotations.of_run_at(entry.path, name=entry.name, side=side, author=author())
    return OpenRun(entry.name, index, coverage, annotations, context)


@st.cache_resource(max_entries=MAX_OPEN_RUNS, show_spinner=False)
def _index(run: str, name: str, *, side: str) -> RunIndex:
    return RunIndex(Path(run), MeasureFiles.of(Path(run), name=name, side=Path(side)))


@st.cache_data(max_entries=8, show_spinner=False)
def _marks(path: str, run: RunIdentity, *, version: int) -> Marks:
    found = Annotations(Path(path), run).of_run()
    rows = tuple(
        MarkedRow(
            key.benchmark, key.step, key.fingerprint, key.problem_id, key.sample_index,
            hash_of_text(response.text_hash), annotation.is_seen, annotation.verdict is not None, annotation.tags,
            bool(annotation.tags or annotation.note or annotation.verdict),
        )
        for response, annotation in found.items()
        for key in [response.key]
    )  # fmt: skip
    return Marks(version=version, rows=rows)


def named_author() -> str:
    """The user named by a proxy; empty without one."""
    header = st.context.headers.get("X-Forwarded-User") if st.context.headers else None
    return str(header)[:100] if header else ""


def author() -> str:
    """The author of annotations: the user named by a proxy, else the server's user."""
    named = named_author()
    if named:
        return named
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def show_damage(opened: OpenRun, *, is_named: bool = False) -> None:
    """Name what has lost samples, unreadable parts, and texts that the run has dropped; `is_named`: of which run."""
    of = f" of {opened.name}" if is_named else ""
    if found := losses(opened.index):
        more = f" and {len(found) - MOST_LOSSES:,} more" if len(found) > MOST_LOSSES else ""
        some = "; ".join(loss.told for loss in found[:MOST_LOSSES])
        st.warning(escaped(f"Samples{of} are missing or in damaged parts: {some}{more}. Comparisons leave these out."))
    if skipped := opened.coverage.skipped:
        st.warning(
            f"{counted(len(skipped), 'damaged part')} skipped, the first: {skipped[0].relative_to(opened.index.run)}"
        )
    if (note := reduction_note(RunDir(opened.index.run))) is not None:
        st.caption(f"{note[0].upper()}{note[1:]}.")


def show_progress(opened: OpenRun) -> None:
    """Show unreadable parts, and a progress bar while responses are being measured.

    In a container that is always there: what is drawn below keeps its place when the bar goes, and with it what a
    reader has typed there and not sent yet, and what is unfolded. It has a key, because fragments in one without
    break the page when they run while it changes.
    """
    with st.container(key="progress"):
        show_damage(opened)
        if opened.coverage.num_measured < opened.coverage.num_parts:
            fragment(_progress, run_every=PROGRESS_S)(opened.index)
        if opened.context.tail_s is not None:
            fragment(_tail, run_every=opened.context.tail_s)(opened)


def _progress(index: RunIndex) -> None:
    if not RunDir(index.run).exists():
        st.warning("This run is no longer in its folder: it was deleted or moved. Choose another one.")
        return
    coverage = index.refresh()
    done, parts = coverage.num_measured, coverage.num_parts
    if done >= parts:
        st.rerun()
    if is_measuring(index.measure_files):
        text = "Measuring reflections, repetition and duplicates; until then, filters on them see part of the run."
        st.progress(done / max(parts, 1), text=f"{text} {done:,} of {counted(parts, 'part')}.")
    else:
        st.caption(
            f"Reflections, repetition and duplicates are not yet measured in {parts - done:,} of "
            f"{counted(parts, 'part')}."
        )


def say_gone(runs: Sequence[RunEntry]) -> list[RunEntry]:
    """The runs that are no longer there although their page is open; says so."""
    gone = [entry for entry in runs if not RunDir(entry.path).exists()]
    for entry in gone:
        st.warning(
            escaped(f"The run {entry.name} is no longer in this folder: it was deleted or moved. Choose another one.")
        )
    return gone


def draw_followed(body: Callable[[Context], None], context: Context) -> None:
    """Draw `body` with the chosen runs that are still there, again and again while one of them is being written."""

    @wraps(body)
    def of_those_left(context: Context) -> None:
        with shown_errors():
            gone = say_gone(context.runs)
            left = tuple(entry for entry in context.runs if entry not in gone)
            if left:
                body(replace(context, runs=left))

    fragment(of_those_left, run_every=context.tail_s)(context)


def _tail(opened: OpenRun) -> None:
    """A line for a running run; new rollouts are shown on request, so that nothing moves by itself."""
    if say_gone([opened.context.run]):
        return
    new = opened.index.refresh().num_rollouts - opened.coverage.num_rollouts
    with st.container(horizontal=True, vertical_alignment="center"):
        text = "This run is still running."
        st.caption(f"{text} {new:,} new rollouts." if new else text, width="content")
        if st.button("Show them", key="tail:show", type="tertiary", icon=":material/refresh:", disabled=not new):
            st.rerun()
