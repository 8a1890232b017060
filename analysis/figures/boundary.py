"""The figure of the boundary: pass@k and Cover@tau of a base and of trained models, one row a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from analysis.boundary.study import BoundaryStudy, CurvePoint
from analysis.figures.spec import FigureSpec, Panel, Series

_MOST_SHOWN = 4


def boundary_figure(studies: Sequence[BoundaryStudy]) -> FigureSpec:
    """Two panels for each benchmark and trained model; at most four pairs are drawn."""
    shown = studies[:_MOST_SHOWN]
    left = f" {len(studies) - _MOST_SHOWN} more pairs are not drawn." if len(studies) > _MOST_SHOWN else ""
    several = len({study.benchmark for study in shown}) > 1
    slots: dict[str, int] = {}
    for study in shown:
        for name in (study.base, study.run):
            slots.setdefault(name, len(slots))
    panels = [panel for study in shown for panel in _panels(study, slots, several=several)]
    return FigureSpec(
        name="boundary",
        title="What the base and the trained model can solve",
        panels=tuple(panels),
        caption=(
            "pass@k (left; k on a logarithmic axis) and Cover@tau (right): the share of problems that a model solves "
            "in at least one of k samples, and in at least a share tau of its samples. Bands are 95 % intervals over "
            f"questions.{left}"
        ),
        columns=2,
    )


def _panels(study: BoundaryStudy, slots: Mapping[str, int], *, several: bool) -> list[Panel]:
    of = f"{study.benchmark}: " if several else ""
    names = (study.base, study.run)
    passed, covered = (study.pass_base, study.pass_run), (study.cover_base, study.cover_run)
    return [
        Panel(
            title=f"{of}pass@k",
            y_label="problems solved",
            x_label="samples k",
            is_share=True,
            is_log=True,
            series=tuple(_series(name, points, slot=slots[name]) for name, points in zip(names, passed, strict=True)),
        ),
        Panel(
            title=f"{of}Cover@tau, n = {study.n}",
            y_label="problems solved",
            x_label="least share of right samples, tau",
            is_share=True,
            series=tuple(_series(name, points, slot=slots[name]) for name, points in zip(names, covered, strict=True)),
        ),
    ]


def _series(label: str, points: Sequence[CurvePoint], *, slot: int) -> Series:
    ends = [(point.low, point.high) for point in points]
    has_band = all(low is not None and high is not None for low, high in ends)
    return Series(
        label=label,
        slot=slot,
        x=np.array([point.at for point in points]),
        y=np.array([point.value for point in points]),
        low=np.array([low for low, _ in ends], dtype=float) if has_band else None,
        high=np.array([high for _, high in ends], dtype=float) if has_band else None,
    )
