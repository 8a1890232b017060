"""Loaded runs, cached for all sessions until one of their files changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import streamlit as st

from analysis.curves.step_moments import judged_metrics, with_step_moments
from analysis.curves.study import Study
from analysis.step_moment.breaks import Break
from app.runs.curves import curves_of_responses, curves_of_run
from app.runs.folder import RunEntry
from app.runs.run_rows import RunRow, Stamp, run_row, stamp_of

MAX_RUNS = 64
MOMENTS_EVERY = 25
"""Number of new steps after which the step moments of a running run are computed again."""
Breaks = Mapping[str, tuple[Break, ...]]
Key = tuple[str, Stamp]
"""Path of a run, and the stamp of its small files."""


def _key(entry: RunEntry) -> Key:
    return str(entry.path), stamp_of(entry.path)


def row_of(entry: RunEntry) -> RunRow:
    """The run's row in the table of runs."""
    return _row(_key(entry))


def study_of(entry: RunEntry, *, reads_responses: bool = False) -> Study:
    """The run with its curves and scores, named as in the folder.

    With `reads_responses`, metrics of its texts are computed, which takes seconds to minutes. RunDirError or DataError
    for an unreadable run.
    """
    found = _responses(_key(entry)) if reads_responses else _curves(_key(entry))
    return replace(found, run=replace(found.run, name=entry.name))


def with_known_moments(study: Study) -> Study:
    """The study with its step moments, if they have been computed."""
    breaks = _known_moments().get(_moments_key(study))
    return study if breaks is None else replace(study, breaks=breaks)


def look_for_moments(studies: Sequence[Study]) -> bool:
    """Compute missing step moments; return whether any were missing. Takes seconds per study."""
    missing = [study for study in studies if judged_metrics(study) and _moments_key(study) not in _known_moments()]
    for study in missing:
        key = _moments_key(study)
        _known_moments()[key] = with_step_moments(replace(study, steps=study.steps.head(key[1]))).breaks
    return bool(missing)


def _moments_key(study: Study) -> tuple[Path, int, tuple[str, ...]]:
    """(path, number of steps to use, metrics): all steps of an ended run, else a multiple of MOMENTS_EVERY."""
    every = MOMENTS_EVERY if study.run.state == "open" else 1
    return study.run.path, len(study.steps) // every * every, judged_metrics(study)


@st.cache_resource(show_spinner=False)
def _known_moments() -> dict[tuple[Path, int, tuple[str, ...]], Breaks]:
    return {}


@st.cache_resource(max_entries=1000, show_spinner=False)
def _row(key: Key) -> RunRow:
    return run_row(Path(key[0]))


@st.cache_resource(max_entries=MAX_RUNS, show_spinner=False)
def _curves(key: Key) -> Study:
    return curves_of_run(Path(key[0]))


@st.cache_resource(max_entries=MAX_RUNS, show_spinner="Computing metrics of the responses")
def _responses(key: Key) -> Study:
    return curves_of_responses(Path(key[0]))
