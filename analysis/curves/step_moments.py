"""Step moments of a run: passes its curves to analysis.step_moment and returns the breaks as records and a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from rich.table import Table

from analysis.curves.study import Study
from analysis.step_moment.as_json import as_json
from analysis.step_moment.breaks import Break, JointBreak
from analysis.step_moment.detectors import STRUCTURAL, Detector, breaks_by
from analysis.step_moment.find import SHORTEST_CURVE
from analysis.step_moment.joint import find_joint_breaks
from orz_bench.errors import ConfigError, nearest
from orz_bench.records.metric_names import metric_name

METRICS = ("reward/mean", "response/length_mean", "reflection/correct_length_mean")


@dataclass(frozen=True, slots=True, kw_only=True)
class StepMoments:
    """The step moments of one run."""

    breaks: tuple[Break, ...]
    joint: tuple[JointBreak, ...]
    """Breaks shared by several metrics."""
    looked_at: tuple[str, ...]
    """Metrics that were long enough to be tested."""
    too_short: tuple[str, ...]
    """Metrics with fewer than SHORTEST_CURVE observations, which were not tested."""

    def to_json(self) -> dict[str, Any]:
        """`breaks` and `joint`, both empty if there is no step moment."""
        return as_json(self.breaks, self.joint)


def step_moments_of(
    study: Study, metrics: Sequence[str] = METRICS, *, seed: int = 0, detector: Detector = STRUCTURAL
) -> StepMoments:
    """The step moments of the metrics that the run has. `seed` is the seed of the bootstrap."""
    present = {name: series for name in metrics if (series := study.series(name)) is not None}
    judged = {name: series for name, series in present.items() if _is_long_enough(series[1])}
    breaks = [
        one
        for name, (steps, values) in judged.items()
        for one in breaks_by(detector, steps, values=values, metric=name, seed=seed)
    ]
    steps = study.steps["step"].to_numpy(dtype=float) if judged else np.array([])
    return StepMoments(
        breaks=tuple(breaks),
        joint=tuple(find_joint_breaks(breaks, steps, seed=seed)),
        looked_at=tuple(judged),
        too_short=tuple(name for name in present if name not in judged),
    )


def judged_metrics(study: Study, metrics: Sequence[str] = METRICS) -> tuple[str, ...]:
    """The metrics that the run has with at least SHORTEST_CURVE observations."""
    known = ((name, study.series(name)) for name in metrics)
    return tuple(name for name, series in known if series is not None and _is_long_enough(series[1]))


def _is_long_enough(values: np.ndarray) -> bool:
    return bool(np.isfinite(values).sum() >= SHORTEST_CURVE)


def with_step_moments(study: Study, *, seed: int = 0) -> Study:
    """The study with the breaks of its main curves; a metric that was not tested has no entry."""
    moments = step_moments_of(study, seed=seed)
    breaks = {name: tuple(one for one in moments.breaks if one.metric == name) for name in moments.looked_at}
    return replace(study, breaks=breaks, joint_breaks=moments.joint)


def chosen_metrics(study: Study, wanted: str | None) -> list[str]:
    """The names in a comma-separated list as our metric names; by default those of METRICS that the run has.

    ConfigError for a metric that the run lacks.
    """
    known = [str(name) for name in study.steps.columns if name != "step"]
    if wanted is None:
        chosen = [name for name in METRICS if name in known]
    else:
        chosen = [metric_name(name.strip()) for name in wanted.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    has = f"it has {', '.join(known) or 'none'}"
    if unknown:
        raise ConfigError(f"{study.run.name}: no metric {', '.join(unknown)}{nearest(unknown[0], known)}; {has}.")
    if not chosen:
        raise ConfigError(
            f"{study.run.name}: has none of the metrics that are looked at unless others are named, "
            f"{', '.join(METRICS)}; name others with --metrics: {has}."
        )
    return chosen


def step_moments_table(moments: StepMoments) -> Table:
    """One row per break, by step, with the metrics that share it."""
    table = Table("step", "95 % interval", "metric", "change of", "size", "p", "", box=None, pad_edge=False)
    for one in sorted(moments.breaks, key=lambda one: one.step):
        interval = f"{one.low:g} to {one.high:g}"
        cells = (one.kind, f"{one.size:+.4g}", f"{one.p_value:.2g}", _remarks(one, moments.joint))
        table.add_row(f"{one.step:g}", interval, one.metric, *cells)
    return table


def _remarks(one: Break, joint: Sequence[JointBreak]) -> str:
    companions = [
        name
        for event in joint
        if one.metric in event.metrics and event.low <= one.step <= event.high
        for name in event.metrics
        if name != one.metric
    ]
    remarks = ["only recovers an earlier fall"] if one.rebound else []
    return "; ".join([*remarks, *(["together with " + ", ".join(companions)] if companions else [])])
