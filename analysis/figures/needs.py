"""The figure of `orz-bench probe --ckpt`: accuracy by the share of the thought that the model got, and step scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from orz_bench.records.thought_need import ThoughtNeed
from orz_bench.records.thoughts import Share

_MOST_SETS = 6


def needs_figure(found: Mapping[str, ThoughtNeed]) -> FigureSpec:
    """A panel of forced answers that are right, and one of those that are the response's own; at most six sets."""
    at = np.unique(np.linspace(0, len(found) - 1, min(len(found), _MOST_SETS)).round().astype(int))
    shown = [list(found.items())[index] for index in at.tolist()]
    sides = (
        ("Right answers", "forced answers that are right", [need.accuracy for _, need in shown]),
        ("The response's own answer", "forced answers that are the response's", [need.own for _, need in shown]),
    )
    panels = tuple(
        Panel(
            title=title,
            y_label=label,
            x_label="share of the thought that the model got",
            is_share=True,
            series=tuple(
                _series(name, shares, x=need.positions, slot=slot)
                for slot, ((name, need), shares) in enumerate(zip(shown, of_sets, strict=True))
                if shares
            ),
        )
        for title, label, of_sets in sides
    )
    left = f" {len(found) - len(shown)} more sets are not drawn." if len(found) > len(shown) else ""
    return FigureSpec(
        name="needs",
        title="What the model answers without its thought",
        panels=tuple(panel for panel in panels if panel.series),
        caption=f"Answers that the model gave behind the beginning of a thought. Bands: 95 % over questions.{left}",
        columns=2,
    )


def _series(label: str, shares: Sequence[Share], *, x: Sequence[float], slot: int) -> Series:
    def side(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([value if (value := getattr(share, name)) is not None else np.nan for share in shares])

    return Series(
        label=label,
        slot=slot,
        x=np.array(x[: len(shares)]),
        y=side("value"),
        low=None if all(share.low is None for share in shares) else side("low"),
        high=None if all(share.high is None for share in shares) else side("high"),
    )
