"""A heat map of pass rates, questions x checkpoints, with the means of both as margins: one picture, drawn by the page.

A chart of 50,000 marks takes a browser five seconds; a picture of as many pixels some milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from app.markdown import plain
from app.queries.rates import Matrix, column_means, margins
from app.views.names import told_apart

MOST_CELLS = 200_000
"""Of a larger matrix the first questions are drawn."""
_HTML = (
    '<div class="scale"><span>0</span><i></i><span>100 % correct</span>'
    '<span class="none" hidden>empty: not asked, or without a verdict</span><span class="note">&nbsp;</span></div>'
    '<canvas role="img" aria-label="Pass rates, questions by checkpoint; the table beside has the same"></canvas>'
)
_CSS = """
canvas { width: 100%; display: block; }
.scale { display: flex; gap: .4rem; align-items: center; font-size: .78rem; }
.scale i { width: 120px; height: .7rem; background: linear-gradient(90deg, rgb(68,1,84), rgb(65,68,135),
  rgb(42,120,142), rgb(34,168,132), rgb(122,209,81), rgb(253,231,37)); }
.none, .note { margin-left: 1rem; }
.note { unicode-bidi: isolate; }
"""
_draw = st.components.v2.component(
    "orz_matrix", html=_HTML, css=_CSS, js=Path(__file__).with_name("matrix_canvas.js").read_text(encoding="utf-8")
)


def drawn_rows(matrix: Matrix) -> int:
    """The number of questions that are drawn."""
    return min(len(matrix.problems), max(MOST_CELLS // max(len(matrix.columns), 1), 1))


def cells(matrix: Matrix, *, of: str) -> dict[str, Any]:
    """What the page draws: whole percentages by row, -1 for none. `of` says what the columns are."""
    rows = len(matrix.problems)
    each = 18 if rows <= 20 else 11 if rows <= 60 else 4 if rows <= 150 else 2
    names = [plain(name) for name in matrix.problems]
    return {
        "problems": list(matrix.problems),
        "names": names,
        "labels": list(told_apart(names, limit=16).values()),
        "columns": [plain(title) for title in matrix.columns],
        "shares": _percent(matrix.shares.ravel()),
        "margin": _percent(margins(matrix).mean),
        "means": _percent(column_means(matrix)),
        "height": max(min(rows * each, 1500), 60),
        "of": of,
    }


def _percent(shares: np.ndarray) -> list[int]:
    found: list[int] = np.where(np.isfinite(shares), np.round(100 * np.nan_to_num(shares)), -1).astype(int).tolist()
    return found


def matrix_chart(matrix: Matrix, *, of: str, key: str, on_pick: Callable[[], None]) -> None:
    """Draw it; a click on a cell leaves its [row, column] in `picked` of the state, and calls `on_pick`."""
    _draw(data=cells(matrix, of=of), key=key, on_picked_change=on_pick)
