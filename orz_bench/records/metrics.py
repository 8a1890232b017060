"""The metrics of training: every name in metrics.jsonl, declared once, with unit, meaning and direction.

A row has `step` and any of these; metrics of parts that a run lacks (a critic, a reference) are absent, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Direction = Literal["up", "down", "neither"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One column of metrics.jsonl."""

    name: str
    unit: str
    meaning: str
    better: Direction = "neither"
    reference_name: str | None = None
    """Its name in Open-Reasoner-Zero's TensorBoard."""
    is_time: bool = False
    """Whether two runs with the same seed may differ in it."""


_ALL = (
    Metric("step", "steps", "Generations with their updates, counted from 1."),
    Metric("policy_version", "updates", "Weight updates before this step; staleness/* tells which ones sampled it."),
    # Sampling
    Metric("reward/mean", "reward", "Mean reward of the rollouts.", "up", "avg_raw_rewards"),
    Metric("reward/pass_at_n", "share", "Problems with at least one right sample.", "up", "avg_pass_at_n"),
    Metric("accuracy/mean", "share", "Right answers, however they ended.", "up"),
    Metric("response/length_mean", "tokens", "Mean response length.", reference_name="avg_response_length"),
    Metric("response/length_std", "tokens", "Deviation of the response length.", reference_name="std_num_tokens"),
    Metric("response/length_median", "tokens", "Median response length."),
    Metric("response/length_p95", "tokens", "95th percentile of the response length."),
    Metric("response/length_max", "tokens", "Longest response."),
    Metric(
        "response/length_correct_mean",
        "tokens",
        "Mean length of right responses.",
        reference_name="avg_correct_num_tokens",
    ),
    Metric(
        "response/length_correct_std",
        "tokens",
        "Deviation of the length of right responses.",
        reference_name="std_correct_num_tokens",
    ),
    Metric(
        "response/length_wrong_mean",
        "tokens",
        "Mean length of other responses.",
        reference_name="avg_incorrect_num_tokens",
    ),
    Metric(
        "response/length_wrong_std",
        "tokens",
        "Deviation of the length of other responses.",
        reference_name="std_incorrect_num_tokens",
    ),
    Metric("response/clip_rate", "share", "Responses cut by the token limit.", "down", "avg_non_stop_count"),
    Metric(
        "response/masked", "share", "Truncated responses from which nothing is learned (reward.truncated=mask).", "down"
    ),
    Metric("response/repetition", "score", "Mean repetition score of the texts.", "down", "avg_repeat_score"),
    Metric("response/duplicates", "share", "Responses that repeat another of their problem word for word.", "down"),
    Metric("response/prompt_length_mean", "tokens", "Mean prompt length."),
    Metric(
        "reflection/rate",
        "share",
        "Responses with at least one reflection keyword.",
        reference_name="avg_reflection_pattern_score",
    ),
    Metric("reflection/per_response", "count", "Reflection keywords a response."),
    Metric("reflection/correct_length_mean", "tokens", "Mean length of responses that reflect and are right."),
    Metric("format/answer_rate", "share", "Responses in which the extractor found an answer.", "up"),
    Metric("format/adherence", "share", "Responses with one </think>, then one answer block that ends them.", "up"),
    Metric("group/all_right", "share", "Problems whose samples are all right: nothing to compare.", "neither"),
    Metric("group/all_wrong", "share", "Problems whose samples are all wrong: nothing to compare.", "neither"),
    Metric("group/replaced", "count", "Problems that dynamic sampling set aside.", "neither"),
    Metric("grading/failures", "share", "Answers that timed out or made the grader fail.", "down"),
    Metric("grading/timeout_share", "share", "Answers whose grading timed out, twice: the second time alone.", "down"),
    # Learning
    Metric(
        "advantage/mean", "reward", "Mean advantage a token, before whitening.", reference_name="avg_raw_advantages"
    ),
    Metric(
        "advantage/abs_mean",
        "reward",
        "Mean absolute advantage a token, before whitening.",
        reference_name="avg_raw_advantages_abs",
    ),
    Metric("policy/loss", "loss", "Clipped objective, mean over the updates of the step."),
    Metric(
        "policy/entropy",
        "nats",
        "Mean entropy of the next-token distribution, at the sampling temperature.",
        reference_name="policy_entropy",
    ),
    Metric(
        "policy/clip_fraction",
        "share",
        "Tokens at which the clipped branch was taken, by weight.",
        reference_name="ppo_clip_count",
    ),
    Metric("policy/grad_norm", "norm", "Gradient norm before clipping, mean over updates."),
    Metric(
        "policy/positive_nll", "nats", "Mean negative log-likelihood a token of rewarded responses (loss.positive_nll)."
    ),
    Metric("policy/lr", "rate", "Learning rate of the step's last optimizer step."),
    Metric("critic/loss", "loss", "Value loss, mean over the updates of the step.", "down", "critic_loss"),
    Metric("critic/clip_fraction", "share", "Tokens whose value moved beyond the clip range, by weight."),
    Metric("critic/grad_norm", "norm", "Gradient norm before clipping, mean over updates."),
    Metric("critic/lr", "rate", "Learning rate of the step's last optimizer step."),
    Metric("critic/value_mean", "reward", "Mean value a token, before the update."),
    Metric("critic/explained_variance", "share", "1 - var(return - value) / var(return) over tokens.", "up"),
    *(
        Metric(
            f"critic/value_bias_{quarter}",
            "reward",
            f"Mean of value - return over the tokens of the {which} quarter of the responses.",
        )
        for quarter, which in enumerate(("first", "second", "third", "last"), start=1)
    ),
    Metric("critic/warmup", "steps", "Steps of critic.warmup_steps so far; the policy learned in none of them."),
    Metric(
        "kl/reference",
        "nats",
        "KL(policy || reference) a token at the sampling temperature, k3 estimate.",
        "neither",
        "avg_kl",
    ),
    Metric("kl/reference_max", "nats", "Largest such mean of one response.", "neither", "avg_kl_max"),
    Metric("kl/loss", "nats", "KL term of the loss, by its estimator, mean over updates."),
    Metric(
        "mismatch/logprob_abs_mean",
        "nats",
        "Mean |trainer - sampler| of the tokens' log-probabilities, at the sampling temperature; with top-p or top-k, "
        "what they cut is in it.",
        "down",
    ),
    Metric("mismatch/logprob_abs_max", "nats", "Largest |trainer - sampler| of a token.", "down"),
    Metric("mismatch/kl", "nats", "k3 estimate of KL(sampler || trainer) a token.", "down"),
    Metric("mismatch/ratio_max", "ratio", "Largest trainer / sampler probability of a token.", "down"),
    Metric(
        "mismatch/log_ppl_gap",
        "nats",
        "Trainer's minus sampler's log-perplexity of a response (mean of -log p over its tokens), mean over responses.",
    ),
    Metric("mismatch/log_ppl_gap_abs", "nats", "The same, of its absolute value.", "down"),
    Metric("mismatch/log_ppl_gap_max", "nats", "The same, largest absolute value of a response.", "down"),
    Metric(
        "mismatch/chi2", "number", "chi2(trainer || sampler) a token: mean of (trainer / sampler)^2, minus 1.", "down"
    ),
    Metric(
        "mismatch/chi2_sequence",
        "number",
        "The same of whole responses, whose ratio is the product of their tokens' (its logarithm cut at +-20).",
        "down",
    ),
    Metric(
        "mismatch/effective_sample_size",
        "share",
        "(sum w)^2 / (n sum w^2) of the n tokens' weights w = trainer / sampler; 1: all count alike.",
        "up",
    ),
    Metric("policy/masked_tokens", "share", "Response tokens that loss.importance_band or loss.sequence_band masks."),
    Metric("policy/masked_responses", "share", "Responses that loss.sequence_band masks."),
    Metric(
        "staleness/mean", "updates", "Updates between the weights that sampled a token and those that learn it.", "down"
    ),
    Metric("staleness/max", "updates", "The same, largest of a token.", "down"),
    # Performance
    Metric("packing/efficiency", "share", "Tokens in the policy's packs (prompts once) over their capacity.", "up"),
    Metric("tokens/total", "tokens", "Prompt and response tokens of the step."),
    Metric("time/step", "s", "Wall time of the step.", "down", is_time=True),
    Metric(
        "time/sample",
        "s",
        "Sampling, grading and writing; with rollout.max_staleness, waiting for them.",
        "down",
        is_time=True,
    ),
    Metric(
        "time/sample_ahead",
        "s",
        "Sampling, grading and writing of the step's rollouts while earlier steps were learned; with rollout.partial, "
        "from the first request to the last row.",
        "down",
        is_time=True,
    ),
    Metric("time/score", "s", "Values and log-probabilities before learning.", "down", is_time=True),
    Metric("time/update", "s", "Optimiser steps of both models.", "down", is_time=True),
    Metric("time/sync", "s", "New weights to the engines.", "down", is_time=True),
    Metric("time/write", "s", "Advantages into the rollout file, metrics.", "down", is_time=True),
    Metric(
        "cpu/step",
        "s",
        "CPU time of the step, of the training process alone; only where models and engine are in it.",
        "down",
        is_time=True,
    ),
    Metric("cpu/sample", "s", "The same of time/sample.", "down", is_time=True),
    Metric("cpu/score", "s", "The same of time/score.", "down", is_time=True),
    Metric("cpu/update", "s", "The same of time/update.", "down", is_time=True),
    Metric("cpu/sync", "s", "The same of time/sync.", "down", is_time=True),
    Metric("cpu/write", "s", "The same of time/write.", "down", is_time=True),
    Metric("throughput/sample", "tokens/s", "Response tokens over sampling time.", "up", is_time=True),
    Metric("throughput/train", "tokens/s", "All tokens over scoring and updating time.", "up", is_time=True),
)

METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _ALL})
