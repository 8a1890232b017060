"""Step moments of a run: its curves handed to analysis.step_moment, and what comes back as records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rich.table import Table

from analysis.columns import metric_name
from analysis.step_moment.breaks import Break
from analysis.step_moment.find import SHORTEST_CURVE, find_breaks
from analysis.study import BreakMark, Study
from orz_bench.errors import ConfigError, nearest

METRICS = ("reward/mean", "response/length_mean", "reflection/correct_length_mean")
_PRINTED = ("metric", "step", "low", "high", "kind", "size", "p_value", "rebound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """The step moments of one run."""

    breaks: tuple[Break, ...]
    looked_at: tuple[str, ...]
    """Metrics that were long enough to be judged."""
    too_short: tuple[str, ...]
    """Metrics of fewer than 60 observations, of which nothing is claimed."""

    def to_json(self) -> dict[str, Any]:
        """`breaks`, empty where there is none; which metrics were judged."""
        breaks = [{name: asdict(one)[name] for name in _PRINTED} for one in self.breaks]
        return {"breaks": breaks, "judged": list(self.looked_at), "too_short": list(self.too_short)}


def moments_of(study: Study, metrics: Sequence[str] = METRICS, *, seed: int = 0) -> Moments:
    """The step moments of those of the metrics that the run has. `seed` is the bootstrap's."""
    present = [(name, series) for name in metrics if (series := study.series(name)) is not None]
    long_enough = [(name, series) for name, series in present if len(series[0]) >= SHORTEST_CURVE]
    found = [one for name, (steps, values) in long_enough for one in find_breaks(steps, values, metric=name, seed=seed)]
    judged = tuple(name for name, _ in long_enough)
    return Moments(
        breaks=tuple(found),
        looked_at=judged,
        too_short=tuple(name for name, _ in present if name not in judged),
    )


def with_breaks(study: Study, *, seed: int = 0) -> Study:
    """The study with the breaks of its main curves; a metric that was not judged has no entry."""
    moments = moments_of(study, seed=seed)
    marks = {name: tuple(_mark(one) for one in moments.breaks if one.metric == name) for name in moments.looked_at}
    return replace(study, breaks=marks)


def _mark(one: Break) -> BreakMark:
    return BreakMark(
        step=one.step,
        low=one.low,
        high=one.high,
        kind=one.kind,
        size=one.size,
        p_value=one.p_value,
        is_rebound=one.rebound,
    )


def chosen_metrics(study: Study, wanted: str | None) -> list[str]:
    """The names of a comma-separated list in our words; the usual three that the run has where none is wanted.

    ConfigError for a metric that the run does not have.
    """
    known = [str(name) for name in study.steps.columns if name != "step"]
    if wanted is None:
        chosen = [name for name in METRICS if name in known]
    else:
        chosen = [metric_name(name.strip()) for name in wanted.split(",") if name.strip()]
    unknown = [name for name in chosen if name not in known]
    if unknown or not chosen:
        missing = ", ".join(unknown) or "none of " + ", ".join(METRICS)
        hint = nearest(unknown[0], known) if unknown else ""
        raise ConfigError(f"{study.run.name}: no metric {missing}{hint}; it has {', '.join(known) or 'none'}.")
    return chosen


def moments_table(moments: Moments) -> Table:
    """One row a break, by step."""
    table = Table("step", "95 % interval", "metric", "change of", "size", "p", "", box=None, pad_edge=False)
    for one in sorted(moments.breaks, key=lambda one: one.step):
        interval = f"{one.low:g} to {one.high:g}"
        rebound = "only recovers an earlier fall" if one.rebound else ""
        cells = (one.kind, f"{one.size:+.4g}", f"{one.p_value:.2g}", rebound)
        table.add_row(f"{one.step:g}", interval, one.metric, *cells)
    return table
