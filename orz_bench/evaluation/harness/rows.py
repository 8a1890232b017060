"""lm-eval's samples as rows, and its figures as parts of a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orz_bench.records.intervals import Z_95, Interval, question_interval
from orz_bench.records.rollout import Rollout, Verdict
from orz_bench.records.summary import Part

_RIGHT_OR_WRONG = (
    "exact_match",
    "acc",
    "acc_norm",
    "pass@1",
    "em",
    "acc_bytes",
    "acc_mutual_info",
    "math_verify",
    "prompt_level_strict_acc",
    "prompt_level_loose_acc",
)
"""Metrics by which lm-eval says whether a sample is right, the usual ones first; a Brier score of 1 is the worst."""
_MAX_TARGET_CHARS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessRows:
    """The samples of an evaluation."""

    rollouts: list[Rollout]
    scored_by: str | None
    """The metric that decides verdicts; None if no metric says right or wrong (a perplexity, say)."""
    filter: str
    """lm-eval's filter that read the answers; the last one is the second extractor."""
    scored: set[tuple[str, int]]
    """Keys of the samples that are right or wrong; of all, where no task says so."""
    notes: tuple[str, ...] = ()
    """Messages for the user."""


def rows_of(found: Mapping[str, Any], *, identity: Mapping[str, Any], num_tokens: Callable[[str], int]) -> HarnessRows:
    """Every sample of every task, once, by the task's first filter. `identity`: what all rows have in common."""
    by_task: dict[str, list[Rollout]] = {}
    metrics: dict[str, str | None] = {}
    filters = set()
    for task, samples in found["samples"].items():
        names = list(dict.fromkeys(sample["filter"] for sample in samples))
        metrics[task] = _verdict_metric(samples, found.get("higher_is_better", {}).get(task) or {})
        filters.add(names[0])
        second = {sample["doc_id"]: sample for sample in samples if sample["filter"] == names[-1]}
        by_task[task] = [
            _row(
                (sample, second[sample["doc_id"]]),
                identity=identity,
                task=task,
                metric=metrics[task],
                num_tokens=num_tokens,
            )
            for sample in samples
            if sample["filter"] == names[0]
        ]
    unscored = [task for task, metric in metrics.items() if metric is None]
    counted = [task for task in by_task if task not in unscored] or list(by_task)
    return HarnessRows(
        rollouts=[rollout for rollouts in by_task.values() for rollout in rollouts],
        scored_by=", ".join(sorted(set(filter(None, metrics.values())))) or None,
        filter=", ".join(sorted(filters)),
        scored={rollout.key for task in counted for rollout in by_task[task]},
        notes=(f"not in avg@n, as no metric says right or wrong: {', '.join(unscored)}",)
        if 0 < len(unscored) < len(by_task)
        else (),
    )


def figures_of(found: Mapping[str, Any]) -> dict[str, Part]:
    """{"hellaswag acc": ...}: lm-eval's own figures and standard errors, of groups and tasks, as it computes them."""
    figures: dict[str, Part] = {}
    for task, results in ({**found["results"], **(found.get("groups") or {})}).items():
        num = found["n-samples"].get(task, {}).get("effective")
        for name, value in results.items():
            metric, _, filter_ = name.partition(",")
            if not filter_ or metric.endswith("_stderr") or not isinstance(value, (int, float)):
                continue
            error = results.get(f"{metric}_stderr,{filter_}")
            label = f"{task} {metric}" + (f" ({filter_})" if filter_ != "none" else "")
            figures[label] = _figure(
                float(value),
                error=float(error) if isinstance(error, (int, float)) else None,
                num=num if num is not None else _group_size(found, task),
                is_verdict=metric in _RIGHT_OR_WRONG,
            )
    return figures


def _figure(value: float, *, error: float | None, num: int, is_verdict: bool) -> Part:
    """With an interval: of a share where it is one, else 1.96 standard errors each way; unknown where those are 0."""
    found = None
    if is_verdict and error is not None and num > 1 and 0 <= value <= 1:
        found = question_interval(value, error=error, num_questions=num, num_samples=num)
    elif error:
        found = Interval(value - Z_95 * error, value + Z_95 * error)
    return Part(
        value=value,
        standard_error=error or (found.error if found else None),
        num=num,
        is_share=False,
        low=found.low if found else None,
        high=found.high if found else None,
    )


def _group_size(found: Mapping[str, Any], group: str) -> int:
    members = found.get("group_subtasks", {}).get(group, [])
    counts = found["n-samples"]
    return sum(counts[name]["effective"] if name in counts else _group_size(found, name) for name in members)


def _verdict_metric(samples: Sequence[Mapping[str, Any]], higher_is_better: Mapping[str, Any]) -> str | None:
    """The first metric of right and wrong whose values are 0 and 1 only; None if there is none."""
    names = {name for sample in samples for name in sample["metrics"]}
    known = [name for name in _RIGHT_OR_WRONG if name in names and higher_is_better.get(name, True)]
    return next((name for name in known if all(_is_verdict(sample.get(name)) for sample in samples)), None)


def _is_verdict(value: Any) -> bool:
    return isinstance(value, (bool, int, float)) and value in (0, 1)


def _row(
    both: tuple[Mapping[str, Any], Mapping[str, Any]],
    *,
    identity: Mapping[str, Any],
    task: str,
    metric: str | None,
    num_tokens: Callable[[str], int],
) -> Rollout:
    sample, second = both
    prompt = str(sample["arguments"][0][0])
    completion, extra = _completion(sample)
    return Rollout(
        **identity,
        problem_id=f"{task}-{sample['doc_id']}",
        question=prompt,
        gold=_text(sample["target"]),
        sample_index=0,
        prompt=prompt,
        completion=completion,
        num_tokens=num_tokens(completion),
        stop_reason="eos",
        extracted=_extracted(sample),
        verdict=_verdict(sample, metric),
        why=f"lm-eval's {metric}" if metric else "no metric of this task says right or wrong: see extra",
        second_extractor=second["filter"],
        second_extracted=_extracted(second),
        second_verdict=_verdict(second, metric),
        extra={"task": task, "metrics": {name: _json(sample[name]) for name in sample["metrics"]}, **extra},
    )


def _verdict(sample: Mapping[str, Any], metric: str | None) -> Verdict:
    if metric is None:
        return "unparseable"
    return "correct" if sample[metric] == 1 else "wrong"


def _completion(sample: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(what the model wrote, or its most likely continuation; what else there is)."""
    first = sample["resps"][0][0]
    if isinstance(first, str):
        repeats = [str(text) for text in sample["resps"][0]]
        return first, {"repeats": repeats} if len(repeats) > 1 else {}
    if len(sample["arguments"][0]) < 2:
        return "", {"loglikelihood": _json(first)}
    logprobs = [float(found[0][0]) for found in sample["resps"]]
    texts = [str(arguments[1]) for arguments in sample["arguments"]]
    best = max(range(len(texts)), key=lambda at: logprobs[at])
    return texts[best], {"loglikelihoods": dict(zip(texts, logprobs, strict=True))}


def _extracted(sample: Mapping[str, Any]) -> str | None:
    """The filtered answer of a generation task; the most likely continuation otherwise."""
    first = sample["filtered_resps"][0]
    if isinstance(first, str):
        return first if first != "[invalid]" else None
    if isinstance(first, list) and first and isinstance(first[0], str):
        return first[0]
    return _completion(sample)[0] or None


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))[:_MAX_TARGET_CHARS]


def _json(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))
