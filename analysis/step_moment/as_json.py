"""Step moments as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from analysis.step_moment.breaks import Break, JointBreak


def as_json(breaks: Sequence[Break], joint: Sequence[JointBreak] = ()) -> dict[str, Any]:
    """{"breaks": [...], "joint": [...]}, both empty if there is no step moment."""
    return {
        "breaks": [
            {
                "metric": one.metric,
                "step": one.step,
                "low": one.low,
                "high": one.high,
                "kind": one.kind,
                "size": one.size,
                "p_value": one.p_value,
                "rebound": one.rebound,
            }
            for one in breaks
        ],
        "joint": [
            {
                "step": one.step,
                "low": one.low,
                "high": one.high,
                "metrics": list(one.metrics),
                "p_value": one.p_value,
            }
            for one in joint
        ],
    }
