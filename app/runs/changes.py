"""What changed in a training since a step: how its metrics moved, and what was added."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.runs.curves import DEFAULT_METRICS, about

WINDOW = 5
"""Steps of which the mean is compared, up to the step and up to now: a single step is noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A metric then and now."""

    metric: str
    unit: str
    then: float | None
    now: float | None


def last_step(rows: Sequence[Mapping[str, Any]]) -> int | None:
    """The last finished step; None without one."""
    return max((step for row in rows if (step := _step(row)) is not None), default=None)


def changes_since(rows: Sequence[Mapping[str, Any]], step: int) -> list[Change]:
    """The usual metrics that the run has: means of the WINDOW steps up to `step`, and of the last ones after it."""
    then = [row for row in rows if (at := _step(row)) is not None and at <= step][-WINDOW:]
    now = [row for row in rows if (at := _step(row)) is not None and at > step][-WINDOW:]
    found = [
        Change(metric=name, unit=about(name).unit, then=_mean(then, name), now=_mean(now, name))
        for name in DEFAULT_METRICS
    ]
    return [one for one in found if one.then is not None or one.now is not None]


def _step(row: Mapping[str, Any]) -> int | None:
    step = row.get("step")
    return int(step) if isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step) else None


def _mean(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [float(row[name]) for row in rows if isinstance(row.get(name), int | float) and math.isfinite(row[name])]
    return sum(known) / len(known) if known else None
