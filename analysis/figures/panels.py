"""Panels shared by several figures: a metric over steps, a benchmark's accuracy or length over steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from analysis.curves.curve import smooth, window_for
from analysis.curves.study import Group, ScoreLine, protocols_of
from analysis.figures.spec import Panel, Reference, Series
from analysis.reading.columns import unit_of
from orz_bench.errors import DataError, counted
from orz_bench.results.baselines import baselines_for

_SHARES = ("share",)
"""Units drawn in percent. A reward is none: another trainer's may be a sum of several functions."""
_SHOWN_MODELS = ("ORZ-32B", "DeepSeek-R1-Zero-Qwen-32B", "ORZ-7B")
"""Models whose published results are drawn; tables list all."""


class MissingDataError(DataError):
    """These runs lack what a figure shows; the message says what is missing."""


class NothingToCompareError(MissingDataError):
    """A figure that compares experiments was given only one, or experiments that do not differ in its settings."""


def metric_panel(groups: Sequence[Group], metrics: dict[str, str], *, title: str, y_label: str) -> Panel | None:
    """Metrics (name -> label in the panel, empty for one) of every group that has them; None if none has."""
    series = [
        one
        for metric, quantity in metrics.items()
        for slot, group in enumerate(groups)
        if (one := _metric_series(group, metric, slot=slot, quantity=quantity)) is not None
    ]
    if not series:
        return None
    is_share = all(unit_of(metric) in _SHARES for metric in metrics) and _all_within_0_1(series)
    return Panel(
        title=title,
        y_label=y_label,
        series=tuple(series),
        is_share=is_share,
        metrics=tuple(metrics),
    )


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
    """Accuracy (or length) on a benchmark at the evaluated steps, with error bars; None if no run has any."""
    lines = [(slot, line) for slot, group in enumerate(groups) for line in group.score_lines(benchmark)]
    slots = _slots([slot for slot, _ in lines], first_free=len(groups))
    series = [
        one
        for slot, (_, line) in zip(slots, lines, strict=True)
        if (one := _score_series(line, slot=slot, column=column))
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
        note=_note(groups, benchmark),
    )


def _slots(groups: Sequence[int], *, first_free: int) -> list[int]:
    """A look for every line: its group's, or a free one for further lines of the group."""
    free = iter(range(first_free, first_free + len(groups)))
    return [next(free) if slot in groups[:at] else slot for at, slot in enumerate(groups)]


def _note(groups: Sequence[Group], benchmark: str) -> str:
    """A sentence about evaluations under several protocols; empty without them."""
    apart = [group.label for group in groups if len(group.score_lines(benchmark)) > 1]
    left_out = sum(_num_left_out(line, benchmark) for group in groups for line in group.score_lines(benchmark))
    parts = [f"the runs of {label} were evaluated under different protocols and are separate lines" for label in apart]
    if left_out:
        parts.append(f"not shown: {counted(left_out, 'evaluation')} under a protocol other than the run's main one")
    return f"{benchmark}: {'; '.join(parts)}." if parts else ""


def _num_left_out(line: ScoreLine, benchmark: str) -> int:
    counts = [protocols_of(study.scores[study.scores["benchmark"] == benchmark]) for study in line.studies]
    shared = set.intersection(*(set(one) for one in counts))
    return sum(sum(one.values()) - max(one[key] for key in shared) for one in counts)


def _score_series(line: ScoreLine, *, slot: int, column: str) -> Series | None:
    table = line.table[line.table[column].notna()]
    if table.empty:
        return None
    values = table[column].to_numpy(dtype=float)
    low, high = _ends(table) if column == "accuracy" else (None, None)
    steps = table["step"].to_numpy(dtype=float)
    return Series(label=line.label, slot=slot, x=steps, y=values, low=low, high=high, role="points")


def _ends(table: pd.DataFrame) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The 95 % interval of one run, or the range of several; None if neither is known."""
    low, high = table["low"].to_numpy(float), table["high"].to_numpy(float)
    return (low, high) if np.isfinite(low).all() and (low < high).any() else (None, None)


def _references(benchmark: str) -> tuple[Reference, ...]:
    """The published results of a few models; if there are two sources, both, labelled with the source."""
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
    """The panels that exist. MissingDataError if none does, because these runs have no `wanted`."""
    found = tuple(panel for panel in panels if panel is not None)
    if not found:
        raise MissingDataError(f"none of these runs has {wanted}; name runs that do.")
    return found
