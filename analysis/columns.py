"""The columns of rollouts and curves that analysis works on, and the names under which other tools write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orz_bench.records.metrics import METRICS

TEXTS = ("question", "gold", "completion", "extracted")
"""Columns that hold text of any length: never held for a whole run."""
NUMBERS = ("step", "benchmark", "problem_id", "sample_index", "num_tokens", "stop_reason", "verdict", "reward")
ROLLOUT_COLUMNS = (*NUMBERS[:4], "question", "gold", "completion", *NUMBERS[4:6], "extracted", *NUMBERS[6:])
"""Those of orz_bench's Rollout that analysis reads; a source has the ones that it has."""
CATEGORIES = ("benchmark", "problem_id", "stop_reason", "verdict")

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "step": ("step", "iteration", "iter", "global_step"),
        "benchmark": ("benchmark", "dataset", "task", "data_source"),
        "problem_id": ("problem_id", "question_id", "group", "index", "id"),
        "sample_index": ("sample_index", "sample"),
        "question": ("question", "problem", "prompt"),
        "gold": ("gold", "answer", "expected", "ground_truth"),
        "completion": ("completion", "response", "raw_response", "output", "generation"),
        "num_tokens": ("num_tokens", "completion_tokens", "response_tokens"),
        "stop_reason": ("stop_reason", "finish_reason"),
        "extracted": ("extracted", "final_answer", "generated_answer", "prediction", "official_pred"),
        "verdict": ("verdict", "correct", "is_correct", "iscorrect", "is_match", "official_pass"),
        "reward": ("reward", "score"),
    }
)
"""Accepted names of each column in foreign files, the first that a file has counts."""
RUN_NAMES = ("run", "exp", "experiment", "condition", "series", "model")
"""Columns of a foreign file that tell several runs apart."""

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


def source_columns(present: Iterable[str]) -> dict[str, str]:
    """For each of our columns that a foreign file has: the name that it has there."""
    names = set(present)
    found = {ours: next((theirs for theirs in accepted if theirs in names), None) for ours, accepted in ALIASES.items()}
    return {ours: theirs for ours, theirs in found.items() if theirs is not None}
