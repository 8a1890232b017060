"""The columns of rollouts and curves that analysis works on, and the short names of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from orz_bench.records.metrics import METRICS

TEXTS = ("question", "gold", "completion", "extracted")
"""Columns that hold text of any length: never held for a whole run."""
NUMBERS = ("step", "benchmark", "problem_id", "sample_index", "num_tokens", "stop_reason", "verdict", "reward")
ROLLOUT_COLUMNS = (*NUMBERS[:4], "question", "gold", "completion", *NUMBERS[4:6], "extracted", *NUMBERS[6:])
"""Those of orz_bench's Rollout that analysis reads; a source has the ones that it has."""
CATEGORIES = ("benchmark", "problem_id", "stop_reason", "verdict")

_SHORT_METRICS = {
    "reward": "reward/mean",
    "accuracy": "accuracy/mean",
    "response_length": "response/length_mean",
    "correct_reflection_length": "reflection/correct_length_mean",
    "reflection_rate": "reflection/rate",
    "kl": "kl/reference",
    "format": "format/adherence",
}
METRIC_ALIASES: Mapping[str, str] = MappingProxyType(
    {metric.reference_name: name for name, metric in METRICS.items() if metric.reference_name} | _SHORT_METRICS
)
"""Short names, and what Open-Reasoner-Zero's TensorBoard calls them -> names of orz_bench.records.metrics."""


def metric_name(name: str) -> str:
    """The name that a metric has in metrics.jsonl; one that is not known there stays as it is."""
    return METRIC_ALIASES.get(name, name)


def unit_of(name: str) -> str:
    """The unit of a metric; empty where nobody declared one."""
    metric = METRICS.get(name)
    return metric.unit if metric else ""
