"""A forecast of one curve, or why there is none: too short, a step moment, or laws that fail on the curve itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from analysis.forecast.extrapolate import Extrapolation, extrapolate
from analysis.forecast.laws import Array
from analysis.step_moment.breaks import Break
from orz_bench.errors import counted

SHORTEST = 60
"""Observations that a forecast needs."""
_DROPPED = (0.0, 0.1, 0.2, 0.3)
"""Shares of the observations at the start that are left out, tried in this order."""
_WIDER = 1.5
"""How much wider the interval of a hindcast is, so that it holds in about 98 % of cases where the laws do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """One metric."""

    metric: str
    num: int
    """Finite observations."""
    last_step: float | None
    from_step: float | None
    """First step that was fitted; None without a forecast."""
    end: Extrapolation | None
    """`at` is a step of training."""
    refusal: str
    """Why there is no forecast; empty if there is one."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def forecast(
    steps: Array, values: Array, *, metric: str, at: float, breaks: Sequence[Break], seed: int = 0
) -> Forecast:
    """`at`: the step whose last tenth is forecast. `breaks`: the step moments of these values."""
    known = np.isfinite(values)
    steps, values = steps[known].astype(np.float64), values[known].astype(np.float64)
    refusal = _refusal(steps, values, at=at, breaks=breaks)
    if refusal:
        return _refused(metric, steps, why=refusal)
    bounds = (0.0, 1.0) if values.min() >= 0 and values.max() <= 1 else (-np.inf, np.inf)
    for share in _DROPPED:
        start = int(share * len(steps))
        x, y = steps[start:], values[start:]
        origin = x[0] - (x[1] - x[0])
        if _holds(x - origin, y, bounds=bounds, seed=seed):
            end = extrapolate(x - origin, y, at=at - origin, bounds=bounds, seed=seed)
            return Forecast(
                metric=metric,
                num=len(steps),
                last_step=float(steps[-1]),
                from_step=float(x[0]),
                end=replace(end, at=at),
                refusal="",
            )
    refusal = (
        "no law fitted to the first half of the curve foresees its second half; a forecast would not be right either"
    )
    return _refused(metric, steps, why=refusal)


def _refused(metric: str, steps: Array, *, why: str) -> Forecast:
    last = float(steps[-1]) if len(steps) else None
    return Forecast(metric=metric, num=len(steps), last_step=last, from_step=None, end=None, refusal=why)


def _refusal(steps: Array, values: Array, *, at: float, breaks: Sequence[Break]) -> str:
    if len(steps) < SHORTEST:
        return f"{counted(len(steps), 'observation')} cannot tell one law from another; {SHORTEST} are needed"
    if np.ptp(values) == 0:
        return "all values are the same"
    if breaks:
        last = max(one.step for one in breaks)
        return (
            f"there is a step moment at step {last:g}, and what held before does not hold after it; forecast from "
            f"there on with --since {np.ceil(max(one.high for one in breaks)):g}"
        )
    if at <= steps[-1]:
        return f"step {at:g} is not after the last one, {steps[-1]:g}"
    return ""


def _holds(x: Array, y: Array, *, bounds: tuple[float, float], seed: int) -> bool:
    """Whether the first half, extrapolated, holds the end of the second."""
    half = len(x) // 2
    found = extrapolate(x[:half], y[:half], at=float(x[-1]), bounds=bounds, seed=seed)
    end = float(y[x >= 0.9 * x[-1]].mean())
    low, high = (found.value + _WIDER * (side - found.value) for side in (found.low, found.high))
    return low <= end <= high
