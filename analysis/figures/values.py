"""The figure of a critic's values: reliability, values along right and wrong responses, AUROC."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.figures.spec import FigureSpec, Panel, Series
from analysis.values.study import Discrimination, ValueStudy

_MOST_SETS = 6


def value_figure(studies: Sequence[tuple[str, ValueStudy]]) -> FigureSpec:
    """One figure of (name of the run, its values); at most six sets are drawn."""
    shown = studies[:_MOST_SETS]
    labels = [f"{run}: {study.name}" for run, study in shown]
    pairs = list(zip(labels, [study for _, study in shown], strict=True))
    panels = [
        _reliability(pairs),
        _along(pairs),
        _auroc(pairs, "position in the response", groups=lambda s: s.by_position),
    ]
    panels.append(_auroc(pairs, "mean length, in quarters (tokens)", groups=lambda s: s.by_length))
    if any(len(study.by_step) > 1 for _, study in pairs):
        panels.append(_auroc(pairs, "training step", groups=lambda s: s.by_step))
    left = f" {len(studies) - _MOST_SETS} more sets are not drawn." if len(studies) > _MOST_SETS else ""
    return FigureSpec(
        name="values",
        title="Values of a critic",
        panels=tuple(panels),
        caption=(
            "Values of a critic and the outcome: share of right responses by value, mean value "
            "along right and wrong responses, AUROC by position, length and step. Bars and bands are 95 % intervals "
            f"over questions. AUROC by length and step is of final values.{left}"
        ),
        columns=2,
    )


def _reliability(pairs: Sequence[tuple[str, ValueStudy]]) -> Panel:
    calibrated = Series(label="calibrated", slot=len(pairs), x=np.array([0.0, 1.0]), y=np.array([0.0, 1.0]))
    return Panel(
        title="Reliability",
        y_label="share right",
        x_label="mean value",
        is_share=True,
        series=(
            *(
                Series(
                    label=label,
                    slot=slot,
                    x=np.array([one.mean_value for one in study.reliability]),
                    y=np.array([one.share_right.value for one in study.reliability]),
                    low=np.array([_or(one.share_right.low, one.share_right.value) for one in study.reliability]),
                    high=np.array([_or(one.share_right.high, one.share_right.value) for one in study.reliability]),
                    role="points",
                )
                for slot, (label, study) in enumerate(pairs)
            ),
            calibrated,
        ),
    )


def _along(pairs: Sequence[tuple[str, ValueStudy]]) -> Panel:
    kinds: tuple[tuple[str, Callable[[Discrimination], float | None]], ...] = (
        ("right", lambda one: one.mean_right),
        ("wrong", lambda one: one.mean_wrong),
    )
    return Panel(
        title="Values along responses",
        y_label="mean value",
        x_label="position in the response",
        series=tuple(
            Series(
                label=label,
                slot=slot,
                quantity=kind,
                x=np.array([one.at for one in study.by_position]),
                y=np.array([_or(mean(one), np.nan) for one in study.by_position]),
            )
            for slot, (label, study) in enumerate(pairs)
            for kind, mean in kinds
            if mean(study.by_position[0]) is not None
        ),
    )


def _auroc(
    pairs: Sequence[tuple[str, ValueStudy]], by: str, *, groups: Callable[[ValueStudy], Sequence[Discrimination]]
) -> Panel:
    series = []
    for slot, (label, study) in enumerate(pairs):
        known = [(one.at, one.auroc) for one in groups(study) if one.auroc is not None]
        if known:
            series.append(
                Series(
                    label=label,
                    slot=slot,
                    x=np.array([at for at, _ in known]),
                    y=np.array([area.value for _, area in known]),
                    low=np.array([_or(area.low, area.value) for _, area in known]),
                    high=np.array([_or(area.high, area.value) for _, area in known]),
                )
            )
    if not series:
        series = [Series(label="chance", slot=len(pairs), x=np.array([0.0, 1.0]), y=np.array([0.5, 0.5]))]
    return Panel(title=f"AUROC by {by.partition(',')[0]}", y_label="AUROC", x_label=by, series=tuple(series))


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
