"""Forecasts of a study's curves: chooses metrics and steps, and passes them to analysis.forecast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from rich.table import Table

from analysis.curves.study import Study
from analysis.forecast.entropy import EntropyLaw, entropy_law
from analysis.forecast.forecast import Forecast, forecast
from analysis.step_moment.detectors import STRUCTURAL, breaks_by
from orz_bench.errors import ConfigError

METRICS = ("reward/mean", "response/length_mean")
_REWARD, _ENTROPY = "reward/mean", "policy/entropy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """What the curves of one run say about its later steps."""

    run: str
    curves: tuple[Forecast, ...]
    entropy: EntropyLaw | None
    """Of reward and entropy; None where the run lacks them, or has too few steps."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def forecasts_of(
    study: Study, metrics: Sequence[str], *, at: float | None = None, from_step: float | None = None, seed: int = 0
) -> Forecasts:
    """`at`: the step that is forecast, by default twice the last one. Steps before `from_step` are left out.

    Step moments are looked for in the steps that are left. ConfigError if the run has none of the metrics.
    """
    present = {name: series for name in metrics if (series := study.series(name)) is not None}
    if not present:
        raise ConfigError(
            f"{study.run.name}: has no {' and no '.join(metrics)}; name others with --metrics: "
            f"{', '.join(str(name) for name in study.steps.columns if name != 'step') or 'it has none'}."
        )
    found = []
    for name, (steps, values) in present.items():
        kept = steps >= (steps[0] if from_step is None else from_step)
        is_known = from_step is None and name in study.breaks
        breaks = (
            study.breaks[name]
            if is_known
            else breaks_by(STRUCTURAL, steps[kept], values=values[kept], metric=name, seed=seed)
        )
        last = float(steps[-1]) if len(steps) else 0.0
        wanted = 2 * last if at is None else at
        found.append(forecast(steps[kept], values[kept], metric=name, at=wanted, breaks=breaks, seed=seed))
    return Forecasts(run=study.run.name, curves=tuple(found), entropy=_entropy(study, from_step, seed=seed))


def _entropy(study: Study, from_step: float | None, *, seed: int) -> EntropyLaw | None:
    entropy, reward = study.series(_ENTROPY), study.series(_REWARD)
    if entropy is None or reward is None:
        return None
    kept = entropy[0] >= (-np.inf if from_step is None else from_step)
    return entropy_law(entropy[1][kept], reward[1][kept], seed=seed)


def forecasts_table(found: Forecasts) -> Table:
    """One row a metric."""
    table = Table(
        "metric", "steps", "at step", "forecast", "90 %", "ceiling", "90 %", "sigmoid, power", box=None, pad_edge=False
    )
    for one in found.curves:
        if one.end is None:
            continue
        end = one.end
        table.add_row(
            one.metric,
            f"{one.from_step:g} to {one.last_step:g}",
            f"{end.at:g}",
            f"{end.value:.4g}",
            f"{end.low:.4g} to {end.high:.4g}",
            f"{end.ceiling:.4g}",
            f"{end.ceiling_low:.4g} to {end.ceiling_high:.4g}",
            ", ".join(f"{value:.4g}" for value in end.by_law.values()),
        )
    return table


def sentences_of(found: Forecasts) -> list[str]:
    """What the table leaves out: refusals, and the entropy law."""
    said = [f"{one.metric}: no forecast: {one.refusal}." for one in found.curves if one.end is None]
    law = found.entropy
    if law is not None:
        said.append(
            f"entropy law: reward = {law.b:.4g} - {law.a:.4g} exp(entropy) explains {100 * law.explained:.0f} % of the "
            f"reward's variance; at entropy 0 it is {law.ceiling:.4g} ({law.low:.4g} to {law.high:.4g})."
        )
    return said
