"""The figure of `orz-bench probe`: by which share of a response the right answer has been concluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from orz_bench.records.thoughts import ThoughtUse

_MOST_SETS = 6


def thoughts_figure(found: Mapping[str, ThoughtUse]) -> FigureSpec | None:
    """One panel of right and one of wrong responses; at most six evaluations, the first and the last among them."""
    at = np.unique(np.linspace(0, len(found) - 1, min(len(found), _MOST_SETS)).round().astype(int))
    shown = [list(found.items())[index] for index in at.tolist()]
    right = [
        _series(name, use.right_by, x=use.positions, slot=slot)
        for slot, (name, use) in enumerate(shown)
        if use.right_by
    ]
    wrong = [
        _series(name, values, x=use.positions, slot=slot, quantity=quantity)
        for slot, (name, use) in enumerate(shown)
        for quantity, values in (("right answer", use.wrong_by), ("another question's", use.chance_by))
        if values
    ]
    panels = [
        Panel(
            title=title,
            y_label="responses that have concluded it",
            x_label="share of the response",
            is_share=True,
            series=tuple(series),
        )
        for title, series in (("Right responses", right), ("Wrong responses", wrong))
        if series
    ]
    if not panels:
        return None
    left = f" {len(found) - len(shown)} more evaluations are not drawn." if len(found) > len(shown) else ""
    return FigureSpec(
        name="thoughts",
        title="Where the right answer comes",
        panels=tuple(panels),
        caption=(
            "Responses that have concluded the right answer by a share of their length. For wrong responses also the "
            f"answer to another question, which shows what chance gives.{left}"
        ),
        columns=2,
    )


def _series(label: str, y: Sequence[float], *, x: Sequence[float], slot: int, quantity: str = "") -> Series:
    return Series(label=label, slot=slot, x=np.array(x), y=np.array(y), quantity=quantity)
