"""The columns of rollouts and curves that analysis uses, and short names of metrics."""

from __future__ import annotations

from orz_bench.records.metrics import METRICS

TEXTS = ("question", "gold", "completion", "extracted")
"""Columns with text of any length: never held in memory for a whole run."""
NUMBERS = ("step", "benchmark", "problem_id", "sample_index", "num_tokens", "stop_reason", "verdict", "reward")
ROLLOUT_COLUMNS = (*NUMBERS[:4], "question", "gold", "completion", *NUMBERS[4:6], "extracted", *NUMBERS[6:])
"""The fields of orz_bench's Rollout that analysis reads; a source may lack some."""
CATEGORIES = ("benchmark", "problem_id", "stop_reason", "verdict")


def unit_of(name: str) -> str:
    """The unit of a metric; empty if none is declared."""
    metric = METRICS.get(name)
    return metric.unit if metric else ""
