"""Names of training metrics in tables of other tools, and of the column with the step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from orz_bench.records.foreign_metrics import FOREIGN_METRICS, TABLE, same_metrics, tool_of
from orz_bench.records.metrics import METRICS

STEP_NAMES = (
    "step", "iteration", "iter", "global_step", "training_step", "current_steps", "stitched_step", "_step", "epoch",
)  # fmt: skip
"""Accepted names of the column with the step, in order of precedence."""
DECLARED_STEPS = ("train/global_step", "trainer/global_step")
"""Names by which transformers' Trainer and Lightning declare a step to W&B for all metrics: where one is there, W&B's
`_step` counts calls."""
_REFERENCE = {metric.reference_name: name for name, metric in METRICS.items() if metric.reference_name}
_PLAIN: Mapping[str, str] = MappingProxyType(_REFERENCE | dict(same_metrics(TABLE)))
"""Plain words, and the names in Open-Reasoner-Zero's TensorBoard -> names in orz_bench.records.metrics."""
_LOGGED_BY_TRAINER = "train/"
"""Before every name where transformers' Trainer, and so TRL, writes to W&B or TensorBoard."""


def metric_name(name: str) -> str:
    """The metric that a person means by a name, a tool's among them; an unknown name is returned unchanged."""
    of_tools = {same_metrics(tool)[name] for tool in FOREIGN_METRICS if name in same_metrics(tool)}
    return _PLAIN.get(_key(name)) or (of_tools.pop() if len(of_tools) == 1 else name)


def metric_names(names: Iterable[str], *, tool: str | None = None) -> dict[str, str]:
    """Our name for each column of a table: only where the meaning is the same, else its own.

    `tool`: who wrote it; None: recognised by names that only one tool uses. If two columns are one metric, the first
    in order of precedence gets our name, and the other keeps its own. A name of ours by which a tool means something
    else gets the tool's name before it.
    """
    names = list(names)
    of_tool = tool if tool is not None and tool in FOREIGN_METRICS else tool_of(names)
    ranks = {name: rank for rank, name in enumerate(_PLAIN if of_tool == TABLE else same_metrics(of_tool))}
    found: dict[str, str] = {}
    for name in sorted(names, key=lambda name: (_ours(name, of_tool) != name, ranks.get(_theirs(name, of_tool), -1))):
        ours = _ours(name, of_tool)
        found[name] = name if ours in found.values() else ours
    return found


def _ours(name: str, tool: str) -> str:
    if tool == TABLE:
        return _PLAIN.get(_key(name), name)
    ours = same_metrics(tool).get(_theirs(name, tool)) or _REFERENCE.get(name)
    return ours or (f"{tool}/{name}" if name in METRICS else name)


def _theirs(name: str, tool: str) -> str:
    if tool == TABLE:
        return _key(name)
    return name.removeprefix(_LOGGED_BY_TRAINER) if tool == "trl" else name


def is_known_metric(name: str) -> bool:
    """Whether it is the name, or an accepted alias, of a metric in metrics.jsonl."""
    return metric_name(name) in METRICS


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "_")
