"""Where the verdicts of another tool and ours differ, with links to these responses on the page Suspicious."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from app import url
from app.markdown import escaped, plain
from app.queries.filters import QueueFilters
from app.runs.evaluations import Evaluated
from orz_bench.errors import counted

_ROW_PX = 30
_MOST_LINKS = 12


def disagreements(found: Sequence[Evaluated], *, page: Any) -> None:
    """Draw a table of the imported evaluations that our grader judged otherwise; nothing where there is none."""
    differing = [one for one in found if one.result.summary.num_disagreements]
    if not differing:
        return
    st.markdown("**Verdicts of the other tool and ours** :gray[samples on which they differ]")
    table = table_of(differing)
    st.dataframe(
        table, key="benchmarks:disagreements", hide_index=True, row_height=_ROW_PX,
        height=min(200, _ROW_PX * (len(table) + 1) + 5),
    )  # fmt: skip
    if page is None:
        return
    for one in differing[-_MOST_LINKS:]:
        label = f"Show {counted(one.result.summary.num_disagreements, 'response')} of {one.run}, step {one.result.step}"
        st.page_link(page, label=escaped(label), query_params=query_of(one))


def table_of(found: Sequence[Evaluated]) -> pd.DataFrame:
    """A row for each pair of verdicts that differ."""
    rows = [
        (plain(one.run), one.result.step, theirs, ours, count, one.result.summary.num_samples)
        for one in found
        for theirs, by_ours in one.result.summary.disagreements.items()
        for ours, count in by_ours.items()
    ]
    return pd.DataFrame(rows, columns=["run", "step", "by the other tool", "by our grader", "samples", "of"])


def query_of(one: Evaluated) -> dict[str, list[str]]:
    """The address of these responses on the page Suspicious."""
    result = one.result
    filters = QueueFilters(
        bench=(result.benchmark,),
        step=(result.step,),
        fingerprints=(result.fingerprint,),
        reasons=("extractors_differ",),
    )
    return {"run": [one.run]} | url.parameters(filters)
