"""Names of runs, models and questions in little space: cut in the middle, and never so that two look alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from app.runs.folder import RunEntry

MOST_HEADING = 200
"""Characters of an id in a heading."""
_MARK = "…"
_CHAR_PX, _PADDING_PX = 6.2, 18
"""Of a table's cell."""
_TITLES = "shell:titles"


def remember_titles(entries: Iterable[RunEntry]) -> None:
    """Keep what is added to the names of these runs, for run_title()."""
    st.session_state[_TITLES] = {entry.name: entry.title for entry in entries}


def run_title(name: str) -> str:
    """A run's name for people: with the control of its rewards, and the run whose rollouts it learns."""
    title: str = st.session_state.get(_TITLES, {}).get(name, name)
    return title


def told_apart(names: Sequence[str], *, limit: int) -> dict[str, str]:
    """Each name in at most `limit` characters, or as many more as it takes to tell them all apart."""
    different = list(dict.fromkeys(names))
    longest = max(map(len, different), default=0)
    for size in range(limit, max(limit, longest) + 1):
        cut = {name: _cut(name, size) for name in different}
        if len(set(cut.values())) == len(different):
            return cut
    return {name: name for name in different}


def column_px(texts: Iterable[str], *, least: int, most: int = 420) -> int:
    """The width of a table's column that shows each of these texts to its end, between `least` and `most`."""
    longest = max(map(len, texts), default=0)
    return min(max(round(longest * _CHAR_PX) + _PADDING_PX, least), most)


def in_heading(problem_id: str) -> str:
    """A question's id, of which a heading has room for so much."""
    return _cut(problem_id, MOST_HEADING)


def _cut(name: str, size: int) -> str:
    """The beginning and, with more room because versions are there, the end."""
    if len(name) <= size:
        return name
    first = (size - 1) // 3
    return name[:first] + _MARK + name[len(name) - (size - 1 - first) :]
