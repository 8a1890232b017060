"""The figure of `orz-bench contamination`: completions and answers by the share of the question that the model got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from orz_bench.records.contamination import StoredContamination
from orz_bench.records.thoughts import Share

_MOST_SETS = 6


def contamination_figure(found: Mapping[str, StoredContamination]) -> FigureSpec | None:
    """A panel each of ROUGE-L, exact completions and right answers; at most six benchmarks. None without results."""
    shown = list(enumerate(found.items()))[:_MOST_SETS]
    completed = [(name, slot, one.known.completions) for slot, (name, one) in shown if one.known.completions]
    answered = [(name, slot, one.known.answers) for slot, (name, one) in shown if one.known.answers]
    rouge, exact = (
        [
            _series(name, [getattr(one, figure) for one in parts], x=[one.share for one in parts], slot=slot)
            for name, slot, parts in completed
        ]
        for figure in ("rouge_l", "exact")
    )
    right = [
        _series(name, [getattr(one, figure) for one in parts], x=[one.share for one in parts], slot=slot, quantity=what)
        for name, slot, parts in answered
        for figure, what in (("right", "right"), ("by_chance", "by chance"))
        if all(getattr(one, figure) is not None for one in parts)
    ]
    panels = [
        Panel(title=title, y_label=label, x_label="share of the question", is_share=True, series=tuple(series))
        for title, label, series in (
            ("Agreement of completions", "ROUGE-L", rouge),
            ("Exact completions", "questions", exact),
            ("Right answers given at once", "questions", right),
        )
        if series
    ]
    if not panels:
        return None
    left = f" {len(found) - len(shown)} more benchmarks are not drawn." if len(found) > len(shown) else ""
    return FigureSpec(
        name="contamination",
        title="What the model knows by heart",
        panels=tuple(panels),
        caption=(
            "Questions that a model completes and answers from their beginnings, and for answers also the answer to "
            f"another question, which shows what chance gives. Bands: 95 % over questions.{left}"
        ),
    )


def _series(label: str, shares: Sequence[Share], *, x: Sequence[float], slot: int, quantity: str = "") -> Series:
    def side(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([np.nan if getattr(share, name) is None else getattr(share, name) for share in shares])

    is_banded = all(share.low is not None and share.high is not None for share in shares)
    return Series(
        label=label,
        slot=slot,
        x=np.array(x),
        y=side("value"),
        low=side("low") if is_banded else None,
        high=side("high") if is_banded else None,
        quantity=quantity,
    )
