"""Panels that several figures share: a metric over steps, a benchmark's accuracy or length over steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.columns import unit_of
from analysis.curves import smooth, window_for
from analysis.figures.spec import Panel, Reference, Series
from analysis.study import Group
from orz_bench.baselines import baselines_for
from orz_bench.errors import DataError

_SHARES = ("share", "reward")
_SHOWN_MODELS = ("ORZ-32B", "DeepSeek-R1-Zero-Qwen-32B", "ORZ-7B")
"""Whose published figures are drawn; tables have them all."""


class MissingDataError(DataError):
    """These runs do not have what a figure shows; the message says what is missing."""


def metric_panel(groups: Sequence[Group], metrics: dict[str, str], *, title: str, y_label: str) -> Panel | None:
    """Metrics (name -> what the panel calls it, empty for one) of every group that has them; None where none has."""
    series = [
        one
        for metric, quantity in metrics.items()
        for slot, group in enumerate(groups)
        if (one := _metric_series(group, metric, slot=slot, quantity=quantity)) is not None
    ]
    if not series:
        return None
    is_share = all(unit_of(metric) in _SHARES for metric in metrics) and _all_within_0_1(series)
    return Panel(title=title, y_label=y_label, series=tuple(series), is_share=is_share)


def _all_within_0_1(series: Sequence[Series]) -> bool:
    return all(one.y.min() >= 0 and one.y.max() <= 1 for one in series)


def _metric_series(group: Group, metric: str, *, slot: int, quantity: str) -> Series | None:
    curve = group.curve(metric)
    if curve is None:
        return None
    window = window_for(len(curve.steps))
    return Series(
        label=group.label,
        quantity=quantity,
        slot=slot,
        x=curve.steps,
        y=curve.values,
        smooth=smooth(curve.values, window) if window > 1 else None,
        low=curve.low,
        high=curve.high,
        marks=group.studies[0].breaks.get(metric, ()) if len(group.studies) == 1 else (),
    )


def score_panel(
    groups: Sequence[Group], benchmark: str, *, column: str = "accuracy", published: bool = False
) -> Panel | None:
    """Accuracy (or length) on a benchmark at the evaluated steps, with error bars; None where no run has any."""
    series = [
        one for slot, group in enumerate(groups) if (one := _score_series(group, benchmark, slot=slot, column=column))
    ]
    if not series:
        return None
    is_share = column == "accuracy"
    n = {
        int(n)
        for g in groups
        for s in g.studies
        for n in s.scores.loc[s.scores["benchmark"] == benchmark, "n"].dropna()
    }
    called = f"avg@{n.pop()}" if len(n) == 1 else "accuracy"
    return Panel(
        title=f"{benchmark}: {'accuracy' if is_share else 'response length'}",
        y_label=called if is_share else "tokens",
        series=tuple(series),
        is_share=is_share,
        references=_references(benchmark) if published and is_share else (),
    )


def _score_series(group: Group, benchmark: str, *, slot: int, column: str) -> Series | None:
    table = group.scores(benchmark)
    table = table[table[column].notna()]
    if table.empty:
        return None
    values = table[column].to_numpy(dtype=float)
    low, high = _ends(table) if column == "accuracy" else (None, None)
    steps = table["step"].to_numpy(dtype=float)
    return Series(label=group.label, slot=slot, x=steps, y=values, low=low, high=high, role="points")


def _ends(table: pd.DataFrame) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The 95 % interval of one run, lowest and highest for several; None where neither is known."""
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    return (low, high) if np.isfinite(low).all() and (low < high).any() else (None, None)


def _references(benchmark: str) -> tuple[Reference, ...]:
    """The published figures of a few models; of two sources both, told apart by their names."""
    chosen = [one for model in _SHOWN_MODELS for one in baselines_for(benchmark) if one.model == model]
    models = [one.model for one in chosen]
    return tuple(
        Reference(
            label=one.model if models.count(one.model) == 1 else f"{one.model} ({one.source.partition(',')[0]})",
            y=one.percent / 100,
        )
        for one in chosen
    )


def present(panels: Sequence[Panel | None], *, wanted: str) -> tuple[Panel, ...]:
    """The panels that exist. MissingDataError where none does: these runs have no `wanted`."""
    found = tuple(panel for panel in panels if panel is not None)
    if not found:
        raise MissingDataError(f"none of these runs has {wanted}; name runs that have.")
    return found
