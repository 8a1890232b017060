"""Queries on the files of a curated set, cached for all sessions until one of the files is replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app.curated import fates, pairs
from app.curated.cards import Known, known_of
from app.curated.sets import SetEntry
from app.curated.state import DataState
from app.curated.tables import Places

Stamp = tuple[tuple[str, int, int], ...]


def known(entry: SetEntry) -> Known:
    """What the set's card says."""
    return _known(str(entry.path), entry.stamp, _entry=entry) if entry.state == "complete" else known_of(entry)


@st.cache_resource(max_entries=200, show_spinner=False)
def _known(path: str, stamp: Stamp, *, _entry: SetEntry) -> Known:
    del path, stamp
    return known_of(_entry)


def row_places(entry: SetEntry, state: DataState) -> Places:
    """The rows that the filters let through."""
    return _row_places(str(entry.path), entry.stamp, state=replace(state, id="", pair=""))


@st.cache_resource(max_entries=12, show_spinner=False)
def _row_places(path: str, stamp: Stamp, *, state: DataState) -> Places:
    del stamp
    return fates.matching(fates.fates_of(Path(path)), state)


def row_counts(entry: SetEntry) -> list[fates.FateCount]:
    """The rows by stage, reason, fate and source."""
    return _row_counts(str(entry.path), entry.stamp)


@st.cache_resource(max_entries=20, show_spinner=False)
def _row_counts(path: str, stamp: Stamp) -> list[fates.FateCount]:
    del stamp
    return fates.counts_of(fates.fates_of(Path(path)))


@st.cache_data(max_entries=500, show_spinner=False)
def row_place(path: str, stamp: Stamp, *, wanted: str) -> int | None:
    """The place of a row by what names it."""
    del stamp
    return fates.place_of(fates.fates_of(Path(path)), wanted)


def pair_places(entry: SetEntry, state: DataState, *, judged: Mapping[str, str]) -> Places:
    """The pairs that the filters let through."""
    said = tuple(judged.items()) if state.judged else ()
    return _pair_places(str(entry.path), entry.stamp, state=replace(state, id="", pair=""), said=said)


@st.cache_resource(max_entries=12, show_spinner=False)
def _pair_places(path: str, stamp: Stamp, *, state: DataState, said: tuple[tuple[str, str], ...]) -> Places:
    del stamp
    return pairs.matching(pairs.pairs_file(Path(path)), state, judged=dict(said))


@st.cache_data(max_entries=20, show_spinner=False)
def pair_counts(path: str, stamp: Stamp) -> dict[tuple[str, str, str], int]:
    """The number of pairs by stage, verdict and source."""
    del stamp
    return pairs.counts_of(pairs.pairs_file(Path(path)))


@st.cache_data(max_entries=500, show_spinner=False)
def pair_place(path: str, stamp: Stamp, *, hash_: str) -> int | None:
    """The place of a pair by its hash."""
    del stamp
    return pairs.place_of(pairs.pairs_file(Path(path)), hash_)
