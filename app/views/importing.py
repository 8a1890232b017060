"""Judgements of colleagues, taken in from a file that the app has exported elsewhere."""

from __future__ import annotations

import streamlit as st

from app.judging.side_folder import side_folder
from app.judging.travel import judgements_in, take_in, told
from app.markdown import escaped
from app.queries.export_reading import rows_in
from app.views.context import Context
from app.views.opened import author


def import_panel(context: Context) -> None:
    """Draw the panel: of rollouts, of pairs, or of the page Judging, whichever the file has."""
    with st.expander("Import judgements", icon=":material/upload:"):
        file = st.file_uploader(
            "Exported rollouts or pairs with judgements: CSV, JSON lines or Markdown", type=["csv", "jsonl", "md"],
            key="report:import",
            help="Tags, notes, overrides and marks of the runs in this folder, and verdicts on pairs of texts, are "
            "united with those here, with their authors and times; so are blind comparisons and descriptions of tags, "
            "which the page Judging exports. Nothing is removed, and a second import changes nothing.",
        )  # fmt: skip
        if file is None or not st.button("Import", key="report:take-in", type="primary"):
            return
        found = judgements_in(rows_in(file.getvalue(), name=file.name))
        side = side_folder(context.folder.path)
        for sentence in told(take_in(found, runs=context.entries, side=side, author=author())):
            st.markdown(escaped(sentence))
