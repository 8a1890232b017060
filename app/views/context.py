"""What every page receives: the runs folder, the chosen runs, and links to other pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

from app import url
from app.runs.folder import RunEntry, RunsFolder
from app.views.fragments import forget_fragments

TAIL_S = 5.0
"""Refresh interval of a view of a running run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The argument of a page's `render`."""

    folder: RunsFolder
    entries: tuple[RunEntry, ...] = ()
    """All runs of the folder, most recently written first."""
    runs: tuple[RunEntry, ...] = ()
    """The chosen runs, in the order of the address. Not empty unless `entries` is, except on the page Runs, where they
    are the ticked ones."""
    lacks_first: bool = False
    """Whether the first run in the address is missing: what is about one run must not be shown of another."""
    data: Path | None = None
    """The folder of curated sets that was given; None: the default one."""
    pages: Mapping[str, Any] = field(default_factory=dict)
    """Streamlit's pages by url_path; empty in tests of one page."""

    @property
    def run(self) -> RunEntry:
        """The first chosen run."""
        return self.runs[0]

    @property
    def tail_s(self) -> float | None:
        """`run_every` of a fragment that follows the chosen runs; None if all have ended."""
        return TAIL_S if any(entry.is_growing for entry in self.runs) else None

    def go(self, page: str, state: Any) -> None:
        """Open another page in that state; nothing after this call runs."""
        parameters = url.parameters(state) if not isinstance(state, Mapping) else dict(state)
        if page in self.pages:
            forget_fragments()
            st.switch_page(self.pages[page], query_params=parameters)
