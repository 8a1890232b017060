"""Computes the row of metrics.jsonl of a step. Names and meanings: orz_bench.records.metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean, median, pstdev

import torch
from torch import Tensor

from orz_bench.extraction.responses import TextFacts
from orz_bench.records.metrics import METRICS
from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.names import GIVEN
from orz_rl.ppo.losses import kl_estimate
from orz_rl.training.off_policy import off_policy
from orz_rl.training.token_statistics import token_means
from orz_rl.training.trainer import StepReport
from orz_rl.training.value_bias import true_returns, value_bias
from orz_rl.workers.messages import Update

Row = dict[str, float]
_ROUNDING = 1e-9
"""Variance below which returns count as equal, relative to their mean square."""
_OF_SAMPLES = ("reward/", "accuracy/", "group/", "grading/", "advantage/", "policy/clip_fraction")
"""Metrics of what the policy itself has sampled; given answers, which are all right, have none of them."""


def metrics_row(report: StepReport, config: TrainConfig) -> Row:
    """Every metric that this step has; the others are absent."""
    row: Row = {"step": report.step, "policy_version": report.policy_version}
    rollouts = report.collection.rollouts
    row |= dict(_responses(rollouts, report.collection.text_facts))
    if config.reward.truncated == "mask":
        row["response/masked"] = 1 - len(report.batch.rollouts) / len(rollouts)
    row |= dict(_groups(rollouts)) | {"group/replaced": report.collection.num_replaced}
    row |= dict(_learning(report, config)) if report.batch.rollouts else {}
    if config.critic.warmup_steps:
        row["critic/warmup"] = min(report.step, config.critic.warmup_steps)
    if config.is_supervised:
        row = _of_given(row)
    elif report.batch.rollouts:
        row |= dict(_distances(report, config))
    row |= dict(_running(report, config))
    unknown = [name for name in row if name not in METRICS]
    assert not unknown, unknown
    return {name: row[name] for name in METRICS if name in row}


def sampled_row(step: int, rollouts: Sequence[Rollout]) -> Row:
    """The metrics of a step that follow from its rollouts alone."""
    row: Row = {"step": step}
    if rollouts[0].policy_version is not None:
        row["policy_version"] = step - 1
    row |= dict(_responses(rollouts, {})) | dict(_groups(rollouts))
    if GIVEN in rollouts[0].extra:
        row = _of_given(row)
    return {name: row[name] for name in METRICS if name in row}


def _of_given(row: Row) -> Row:
    """The metrics that given answers have."""
    return {name: value for name, value in row.items() if not name.startswith(_OF_SAMPLES)}


def _responses(
    rollouts: Sequence[Rollout], counted: Mapping[tuple[str, int], TextFacts]
) -> Iterator[tuple[str, float]]:
    facts = [counted.get(row.key) or TextFacts.of(row.completion) for row in rollouts]
    lengths = [row.num_tokens for row in rollouts]
    is_right = [row.verdict == "correct" for row in rollouts]
    reflections = [each.num_reflections for each in facts]
    yield "reward/mean", fmean([row.reward or 0.0 for row in rollouts])
    yield "accuracy/mean", fmean(is_right)
    yield "response/length_mean", fmean(lengths)
    yield "response/length_std", pstdev(lengths)
    yield "response/length_median", median(lengths)
    yield "response/length_p95", float(torch.tensor(lengths, dtype=torch.float64).quantile(0.95))
    yield "response/length_max", max(lengths)
    for name, chosen in (("correct", True), ("wrong", False)):
        some = [length for length, right in zip(lengths, is_right, strict=True) if right is chosen]
        if some:
            yield f"response/length_{name}_mean", fmean(some)
            yield f"response/length_{name}_std", pstdev(some)
    yield "response/clip_rate", fmean([row.stop_reason == "length" for row in rollouts])
    yield "response/repetition", fmean([each.repetition for each in facts])
    texts = Counter((row.problem_id, row.completion) for row in rollouts)
    yield "response/duplicates", 1 - len(texts) / len(rollouts)
    yield "response/prompt_length_mean", fmean([len(row.prompt_token_ids or ()) for row in rollouts])
    yield "reflection/rate", fmean([count > 0 for count in reflections])
    yield "reflection/per_response", fmean(reflections)
    both = [n for n, right, count in zip(lengths, is_right, reflections, strict=True) if right and count]
    if both:
        yield "reflection/correct_length_mean", fmean(both)
    yield "format/answer_rate", fmean([row.extracted is not None for row in rollouts])
    yield "format/adherence", fmean([each.keeps_format for each in facts])
    yield "grading/failures", fmean([row.verdict in ("timeout", "error") for row in rollouts])
    yield "grading/timeout_share", fmean([row.verdict == "timeout" for row in rollouts])


def _groups(rollouts: Sequence[Rollout]) -> Iterator[tuple[str, float]]:
    groups: dict[str, list[bool]] = {}
    for row in rollouts:
        groups.setdefault(row.problem_id, []).append(row.verdict == "correct")
    yield "reward/pass_at_n", fmean([any(group) for group in groups.values()])
    yield "group/all_right", fmean([all(group) for group in groups.values()])
    yield "group/all_wrong", fmean([not any(group) for group in groups.values()])


def _learning(report: StepReport, config: TrainConfig) -> Iterator[tuple[str, float]]:
    mask_BT, updates = report.batch.mask_BT, report.updates
    raw_BT = report.estimate.raw_advantages_BT
    mean, abs_mean = token_means(mask_BT, raw_BT, of=lambda raw: (raw, raw.abs()))
    yield "advantage/mean", mean
    yield "advantage/abs_mean", abs_mean
    policy_lr, critic_lr = updates.learning_rates
    if updates.policy:
        yield from _updates("policy", updates.policy, lr=policy_lr)
    if updates.entropy_BT is not None:
        yield "policy/entropy", token_means(mask_BT, updates.entropy_BT)[0]
    if updates.critic:
        yield from _updates("critic", updates.critic, lr=critic_lr)
    values_BT, returns_BT = report.scores.values_BT, report.estimate.returns_BT
    if values_BT is not None and returns_BT is not None:
        yield from _values(values_BT, returns_BT, mask_BT=mask_BT)
        yield from value_bias(values_BT, true_returns(report, config), mask_BT=mask_BT)


def _values(values_BT: Tensor, returns_BT: Tensor, *, mask_BT: Tensor) -> Iterator[tuple[str, float]]:
    both = (values_BT, returns_BT)
    value, mean, error, square = token_means(
        mask_BT, *both, of=lambda values, returns: (values, returns, returns - values, returns.double() ** 2)
    )
    variance, unexplained = token_means(
        mask_BT,
        *both,
        of=lambda values, returns: ((returns.double() - mean) ** 2, ((returns - values).double() - error) ** 2),
    )
    yield "critic/value_mean", value
    # Returns are sums in float32: if all are equal, the rest is rounding error, which cannot be explained.
    if variance > _ROUNDING * (1 + square):
        yield "critic/explained_variance", 1 - unexplained / variance


def _updates(role: str, updates: Sequence[Update], *, lr: float) -> Iterator[tuple[str, float]]:
    yield f"{role}/loss", fmean([update.loss for update in updates])
    yield f"{role}/clip_fraction", fmean([update.clipped for update in updates])
    yield f"{role}/grad_norm", fmean([update.grad_norm for update in updates])
    yield f"{role}/lr", lr


def _distances(report: StepReport, config: TrainConfig) -> Iterator[tuple[str, float]]:
    batch, scores = report.batch, report.scores
    mask_BT = batch.mask_BT
    logprobs_BT = report.updates.logprobs_BT if scores.old_logprobs_BT is None else scores.old_logprobs_BT
    if config.rollout.max_staleness > 0 or config.rollout.replay is not None:
        yield from _staleness(report)
    if logprobs_BT is None:  # the policy was not asked
        return
    yield from off_policy(logprobs_BT, batch.sampler_logprobs_BT, mask_BT=mask_BT, loss=config.loss)
    if scores.reference_logprobs_BT is not None:
        kl_BT = kl_estimate(logprobs_BT, scores.reference_logprobs_BT, estimator="k3") * mask_BT
        yield "kl/reference", token_means(mask_BT, kl_BT)[0]
        yield "kl/reference_max", float((kl_BT.sum(dim=1) / mask_BT.sum(dim=1)).max())
    if config.loss.kl_loss > 0 and report.updates.policy:
        yield "kl/loss", fmean([update.kl_loss for update in report.updates.policy])
    if config.loss.positive_nll > 0 and report.updates.policy:
        yield "policy/positive_nll", fmean([update.positive_nll for update in report.updates.policy])


def _staleness(report: StepReport) -> Iterator[tuple[str, float]]:
    ages = Counter[int]()
    for row in report.batch.rollouts:
        for version, count in row.versions.items():
            ages[report.policy_version - (version or 0)] += count
    yield "staleness/mean", sum(age * count for age, count in ages.items()) / ages.total()
    yield "staleness/max", max(ages)


def _running(report: StepReport, config: TrainConfig) -> Iterator[tuple[str, float]]:
    seconds = report.seconds
    num_sampled = float(sum(row.num_tokens for row in report.collection.rollouts))
    num_tokens = sum(report.batch.sequence_lengths)
    if report.updates.packing_efficiency is not None:
        yield "packing/efficiency", report.updates.packing_efficiency
    yield "tokens/total", num_tokens
    for phase, duration in seconds.items():
        yield f"time/{phase}", duration
    yield "time/step", sum(seconds.values())
    ahead = report.collection.seconds_ahead
    if ahead is not None:
        yield "time/sample_ahead", ahead
    for phase, duration in report.cpu_seconds.items():
        yield f"cpu/{phase}", duration
    if report.cpu_seconds:
        yield "cpu/step", sum(report.cpu_seconds.values())
    is_alone = not config.rollout.partial  # else engines draw for several steps at once
    if is_alone and report.collection.num_generated >= len(
        report.collection.rollouts
    ):  # not the speed of reading files
        yield "throughput/sample", num_sampled / (seconds["sample"] if ahead is None else ahead)
    yield "throughput/train", num_tokens / (seconds["score"] + seconds["update"])
