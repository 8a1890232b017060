"""What the shell hands to every page: the folder, the runs that are chosen, and the way to other pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app import url
from app.runs.folder import RunEntry, RunsFolder

TAIL_S = 5.0
"""How often a view of a growing run looks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Given to `render` of a page."""

    folder: RunsFolder
    entries: tuple[RunEntry, ...] = ()
    """Every run of the folder, the last written first."""
    runs: tuple[RunEntry, ...] = ()
    """Those chosen, in the order of the address; on a page of one run exactly one. Never empty where `entries` is not,
    but on the page Runs, where it is what is ticked."""
    pages: Mapping[str, Any] = field(default_factory=dict)
    """Streamlit's pages by url_path; empty in tests of one page."""

    @property
    def run(self) -> RunEntry:
        """The first of those chosen."""
        return self.runs[0]

    @property
    def tail_s(self) -> float | None:
        """`run_every` of a fragment that follows the chosen runs: None where all of them have ended."""
        return TAIL_S if any(entry.is_growing for entry in self.runs) else None

    def go(self, page: str, state: Any) -> None:
        """Open another page in that state; nothing after this call is run."""
        parameters = url.parameters(state) if not isinstance(state, Mapping) else dict(state)
        if page in self.pages:
            st.switch_page(self.pages[page], query_params=parameters)
