"""Runs as pages use them, kept for all sessions until one of their files changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import streamlit as st

from analysis.study import Study
from app.folder import RunEntry
from app.run_rows import RunRow, Stamp, run_row, stamp_of
from app.training_data import curves_of_responses, curves_of_run

MAX_RUNS = 64
Key = tuple[str, Stamp]
"""Path of a run and the state of its small files."""


def _key(entry: RunEntry) -> Key:
    return str(entry.path), stamp_of(entry.path)


def row_of(entry: RunEntry) -> RunRow:
    """The run's row of the table."""
    return _row(_key(entry))


def study_of(entry: RunEntry, *, reads_responses: bool = False) -> Study:
    """The run with its curves and scores, named as in the folder. With `reads_responses` its texts are counted, which
    takes seconds to minutes. RunDirError or DataError for a run that cannot be read.
    """
    found = _responses(_key(entry)) if reads_responses else _curves(_key(entry))
    return replace(found, run=replace(found.run, name=entry.name))


@st.cache_resource(max_entries=1000, show_spinner=False)
def _row(key: Key) -> RunRow:
    return run_row(Path(key[0]))


@st.cache_resource(max_entries=MAX_RUNS, show_spinner=False)
def _curves(key: Key) -> Study:
    return curves_of_run(Path(key[0]))


@st.cache_resource(max_entries=MAX_RUNS, show_spinner="Counting reflections and lengths in the responses")
def _responses(key: Key) -> Study:
    return curves_of_responses(Path(key[0]))
