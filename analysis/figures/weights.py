"""The figure of moved weights: how many and how far by layer, for each kind of matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from analysis.weights.moved import Moved, MovedWeights

_MOST_KINDS = 8


def weights_figure(found: MovedWeights) -> FigureSpec | None:
    """Three panels over layers; None for a model without numbered layers. At most eight kinds of matrices are drawn."""
    by_kind: dict[str, list[Moved]] = {}
    for each in found.tensors:
        if each.layer is not None and len(each.shape) == 2:
            by_kind.setdefault(each.kind, []).append(each)
    if not by_kind:
        return None
    shown = sorted(by_kind, key=lambda kind: -sum(each.num for each in by_kind[kind]))[:_MOST_KINDS]
    figures: tuple[tuple[str, str, bool, Callable[[Moved], float | None]], ...] = (
        (f"Moved by more than {found.tolerance:g}", "share of the weights", True, lambda one: one.num_beyond / one.num),
        ("How far", "norm of the difference / norm of A", True, lambda one: one.relative),
        (
            "In how many directions",
            "effective rank over full rank",
            True,
            lambda one: one.rank.effective / one.rank.full if one.rank else None,
        ),
    )
    panels = tuple(
        Panel(title=title, y_label=label, x_label="layer", is_share=is_share, series=series)
        for title, label, is_share, figure in figures
        if (series := tuple(_series(kind, by_kind[kind], slot=at, figure=figure) for at, kind in enumerate(shown)))
    )
    left = f" {len(by_kind) - len(shown)} more kinds are not drawn." if len(by_kind) > len(shown) else ""
    return FigureSpec(
        name="weights",
        title="Weights that moved",
        panels=panels,
        caption=f"Weights that moved from {found.a} (A) to {found.b}, by layer and kind of matrix.{left}",
    )


def _series(kind: str, tensors: list[Moved], *, slot: int, figure: Callable[[Moved], float | None]) -> Series:
    ordered = sorted(tensors, key=lambda each: each.layer or 0)
    values = [figure(each) for each in ordered]
    return Series(
        label=kind,
        slot=slot,
        x=np.array([each.layer for each in ordered], dtype=float),
        y=np.array([np.nan if value is None else value for value in values]),
    )
