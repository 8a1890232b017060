"""Names of training metrics in other tools, and of the column with the step.

A name is here only if its meaning is that of our metric, in the unit of our metric.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orz_bench.records.metrics import METRICS

_OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "reward/mean": ("reward", "reward_during_training", "critic/score/mean", "critic/rewards/mean", "reward/total"),
        "accuracy/mean": ("accuracy", "objective/verifiable_correct_rate"),
        "response/length_mean": (
            "response_length",
            "response_length_during_training",
            "average_response_length",
            "response_length/mean",
            "completion_length",
            "completions/mean_length",
            "val/sequence_lengths",
        ),
        "response/length_max": ("response_length/max", "completions/max_length"),
        "response/clip_rate": ("response_length/clip_ratio", "completions/clipped_ratio"),
        "reflection/correct_length_mean": ("correct_reflection_length",),
        "reflection/rate": ("reflection_rate",),
        "kl/reference": ("kl", "critic/kl", "objective/kl"),
        "policy/entropy": ("entropy", "actor/entropy", "actor/entropy_loss"),
        "policy/grad_norm": ("actor/grad_norm",),
        "policy/loss": ("actor/pg_loss",),
        "critic/loss": ("critic/vf_loss",),
        "critic/explained_variance": ("critic/vf_explained_var",),
        "format/adherence": ("format", "percentage_of_thinking_format"),
    }
)
"""Names of our metrics in other tools (verl, TRL, open-instruct, tinker, the paper), in order of precedence."""
STEP_NAMES = (
    "step", "iteration", "iter", "global_step", "training_step", "current_steps", "stitched_step", "_step", "epoch",
)  # fmt: skip
"""Accepted names of the column with the step, in order of precedence."""
METRIC_ALIASES: Mapping[str, str] = MappingProxyType(
    {metric.reference_name: name for name, metric in METRICS.items() if metric.reference_name}
    | {theirs: name for name, all_theirs in _OTHERS.items() for theirs in all_theirs}
)
"""Short names and names in other tools -> names in orz_bench.records.metrics."""
_RANKS = MappingProxyType({theirs: rank for all_theirs in _OTHERS.values() for rank, theirs in enumerate(all_theirs)})


def metric_name(name: str) -> str:
    """The name of a metric in metrics.jsonl; an unknown name is returned unchanged."""
    return METRIC_ALIASES.get(_key(name), name)


def metric_names(names: Iterable[str]) -> dict[str, str]:
    """Our name for each column of a table.

    If two columns name one metric, the first in order of precedence gets our name, and the other keeps its own.
    """
    found: dict[str, str] = {}
    ordered = sorted(names, key=lambda name: (metric_name(name) != name, _RANKS.get(_key(name), -1)))
    for name in ordered:
        ours = metric_name(name)
        found[name] = name if ours in found.values() else ours
    return found


def is_known_metric(name: str) -> bool:
    """Whether it is the name, or an accepted alias, of a metric in metrics.jsonl."""
    return metric_name(name) in METRICS


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
