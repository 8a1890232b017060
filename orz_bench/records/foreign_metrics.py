"""Metrics of other trainers, declared once: which are one of ours, and which only look like one, with the difference.

A metric is one of ours only where meaning and unit are the same. What a trainer writes beyond this table has no
counterpart here. Import, `orz-rl watch`, analysis and the backends of other trainers all use it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ForeignMetric:
    """One metric of another trainer."""

    name: str
    ours: str | None
    """None: not the same as the metric of ours that it resembles."""
    why: str
    """How the trainer computes it, and for one that is not ours, where it differs."""


_Same = ForeignMetric


def _Not(name: str, why: str) -> ForeignMetric:  # noqa: N802 - reads as a heading of the rows below
    return ForeignMetric(name, None, why)


_VERL = (
    _Same("critic/score/mean", "reward/mean", "sum of the rule's reward, without the KL penalty, over responses"),
    _Same("response_length/mean", "response/length_mean", "tokens"),
    _Same("response_length/max", "response/length_max", "tokens"),
    _Same("response_length/clip_ratio", "response/clip_rate", "share of responses as long as the limit"),
    _Same("prompt_length/mean", "response/prompt_length_mean", "tokens"),
    _Same("actor/pg_loss", "policy/loss", "mean over the micro-batches of the step's updates"),
    _Same("actor/pg_clipfrac", "policy/clip_fraction", "the same mean"),
    _Same("actor/grad_norm", "policy/grad_norm", "before clipping"),
    _Same("critic/vf_loss", "critic/loss", "with its half, the same mean"),
    _Same("critic/vf_clipfrac", "critic/clip_fraction", "the same mean"),
    _Same("critic/grad_norm", "critic/grad_norm", "before clipping"),
    _Same("critic/values/mean", "critic/value_mean", "a token, before the update"),
    _Same("critic/vf_explained_var", "critic/explained_variance", "over tokens"),
    _Same("rollout_corr/k3_kl", "mismatch/kl", "E[r - log r - 1], r = trainer / sampler"),
    _Same("perf/total_num_tokens", "tokens/total", "prompts and responses"),
    _Same("perf/time_per_step", "time/step", "s"),
    _Same("timing_s/update_weights", "time/sync", "the transfer to the engines, s"),
    _Not("actor/entropy", "averaged as the loss is: over tokens only with loss_agg_mode=token-mean"),
    _Not("actor/lr", "read after the scheduler's step, so of the next step"),
    _Not("critic/lr", "read after the scheduler's step, so of the next step"),
    _Not("critic/rewards/mean", "with the KL penalty"),
    _Not("critic/advantages/mean", "after whitening"),
    _Not("actor/kl_loss", "before its coefficient, by its own estimator and average"),
    _Not("actor/reward_kl_penalty", "k1 by default"),
    _Not("critic/kl", "k1 by default"),
    _Not("actor/ppo_kl", "between the old and the new policy, not the reference"),
    _Not("timing_s/gen", "without grading"),
)
_OPENRLHF = (
    _Same("train/rollout/reward_mean", "reward/mean", "over all responses, before batches are formed"),
    _Same("train/rollout/response_length_mean", "response/length_mean", "tokens, over all responses"),
    _Same("train/rollout/truncated_rate", "response/clip_rate", "share of responses cut by the limit"),
    _Same("train/ppo_clip_ratio", "policy/clip_fraction", "mean over the step's updates by tokens"),
    _Same("train/timing/step_total", "time/step", "s"),
    _Same("train/timing/make_experience", "time/score", "values and log-probabilities, s"),
    _Same("train/timing/ppo_train", "time/update", "both models, s"),
    _Same("train/timing/broadcast", "time/sync", "the transfer to the engines, s"),
    _Not("train/policy_loss", "an average of sums that are divided by the tokens of an optimizer step already"),
    _Not("train/critic_loss", "an average of sums that are divided by the tokens of an optimizer step already"),
    _Not("train/actor_lr", "read after the scheduler's step, so of the next step"),
    _Not("train/critic_lr", "a mean over the updates"),
    _Not("train/kl", "its estimator is a setting"),
    _Not("train/actor_grad_norm", "of the last update only"),
    _Not("train/entropy_loss", "averaged as the loss is"),
    _Not("train/values", "during the updates"),
    _Not("train/reward", "after batches were balanced"),
    _Not("train/response_length", "after batches were balanced"),
    _Not("train/timing/generation", "without grading"),
)
_TRL = (
    _Same("reward", "reward/mean", "weighted sum of the reward functions"),
    _Same("completions/mean_length", "response/length_mean", "tokens"),
    _Same("completion_length", "response/length_mean", "tokens (versions before 0.17)"),
    _Same("completions/clipped_ratio", "response/clip_rate", "completions without an end token"),
    _Same("entropy", "policy/entropy", "mean over completion tokens, at the temperature"),
    _Same("kl", "kl/reference", "k3 a token"),
    _Same("clip_ratio/region_mean", "policy/clip_fraction", "share of tokens at which the clipped branch is taken"),
    _Same("sampling/sampling_logp_difference/mean", "mismatch/logprob_abs_mean", "a token"),
    _Same("step_time", "time/step", "s"),
    _Not("learning_rate", "before or after the scheduler's step, by the version of transformers"),
    _Not("loss", "with the KL term"),
    _Not("policy_loss", "divided by the gradient accumulation"),
    _Not("grad_norm", "of the last optimizer step only"),
    _Not("completions/max_length", "a mean of maxima"),
    _Not("frac_reward_zero_std", "groups of one reward, right and wrong ones together"),
)
_PRIME_RL = (
    _Same("train/agg/effective/agent/reward/mean", "reward/mean", "weighted sum, over the traces trained on"),
    _Same("train/agg/effective/agent/num_output_tokens/mean", "response/length_mean", "generated, over all turns"),
    _Same("train/agg/effective/agent/num_output_tokens/max", "response/length_max", "generated, over all turns"),
    _Same("entropy/all/mean", "policy/entropy", "of the logits over the temperature"),
    _Same("mismatch_kl/all/mean", "mismatch/kl", "k3 a token"),
    _Same("optim/grad_norm", "policy/grad_norm", "of the step's only update, before clipping"),
    _Same("trainer/time/broadcast_weights", "time/sync", "s"),
    _Not("optim/lr", "read after the scheduler's step, so of the next step"),
    _Not("train/agg/effective/agent/is_truncated/mean", "also cut by the number of turns"),
    _Not("loss/mean", "with its KL terms"),
    _Not("time/step", "of each process"),
)
_SKYRL = (
    _Same("reward/avg_raw_reward", "reward/mean", "mean sum of a response's rewards"),
    _Same("generate/avg_num_tokens", "response/length_mean", "tokens of responses"),
    _Same("generate/max_num_tokens", "response/length_max", "tokens of responses"),
    _Same("policy/grad_norm", "policy/grad_norm", "mean over the step's updates, before clipping"),
    _Same("critic/grad_norm", "critic/grad_norm", "mean over the step's updates, before clipping"),
    _Same("timing/step", "time/step", "s"),
    _Same("timing/generate", "time/sample", "with grading, s"),
    _Same("timing/fwd_logprobs_values_reward", "time/score", "s"),
    _Same("timing/train_critic_and_policy", "time/update", "s"),
    _Same("timing/sync_weights", "time/sync", "s"),
    _Not("policy/policy_loss", "a mean over micro-batches of different numbers of tokens"),
    _Not("policy/policy_entropy", "a mean over micro-batches of different numbers of tokens"),
    _Not("policy/policy_lr", "read after the scheduler's step, so of the next step"),
    _Not("policy/policy_kl", "of the loss, by its own estimator and average"),
    _Not("policy/rollout_train_logprobs_abs_diff_mean", "the sampler's log-probabilities are those of temperature 1"),
    _Not("loss/avg_final_rewards", "with the KL penalty"),
    _Not("loss/avg_kl", "its estimator is a setting"),
    _Not("loss/avg_raw_advantages", "over padded positions"),
)
_OPEN_INSTRUCT = (
    _Same("objective/verifiable_correct_rate", "accuracy/mean", "share of all responses with a verifiable reward"),
    _Not("objective/verifiable_reward", "only the verifiable part of the reward, on a scale of its own"),
    _Not("scores", "of the responses trained on, without groups of one reward"),
    _Not("val/sequence_lengths", "of the responses trained on, without groups of one reward"),
    _Not("val/stop_rate", "the other way round: responses that ended by themselves"),
    _Not("objective/kl_avg", "k1; k3 is objective/kl3_avg, whose average is a setting (masked_mean_axis)"),
    _Not("policy/entropy_avg", "its average is a setting (masked_mean_axis)"),
    _Not("policy/clipfrac_avg", "its average is a setting (masked_mean_axis)"),
    _Not("lr", "read after the scheduler's step, so of the next step"),
)
_TINKER = (
    _Same("env/all/reward/total", "reward/mean", "mean total reward of all trajectories"),
    _Same("reward/total", "reward/mean", "the same, in its short loops"),
    _Same("reward/mean", "reward/mean", "the same, in its short loops"),
    _Same("optim/lr", "policy/lr", "of this step"),
    _Not("optim/entropy", "mean negative log-probability of the sampled tokens"),
    _Not("optim/kl_sample_train_v1", "k1"),
    _Not("optim/kl_sample_train_v2", "k2"),
    _Not("env/all/ac_tokens_per_turn", "of a turn, not of a response"),
)
_LLAMA_FACTORY = (
    _Same("reward", "reward/mean", "in its PPO stage"),
    _Not("loss", "that of the stage: cross-entropy in SFT"),
    _Not("lr", "before or after the scheduler's step, by the version of transformers"),
)
_OWN_TABLES = (
    _Same("reward", "reward/mean", ""),
    _Same("reward_during_training", "reward/mean", "figure 2 of the paper"),
    _Same("accuracy", "accuracy/mean", ""),
    _Same("response_length", "response/length_mean", ""),
    _Same("response_length_during_training", "response/length_mean", "figure 2 of the paper"),
    _Same("average_response_length", "response/length_mean", "figures of the paper"),
    _Same("completion_length", "response/length_mean", ""),
    _Same("correct_reflection_length", "reflection/correct_length_mean", ""),
    _Same("reflection_rate", "reflection/rate", ""),
    _Same("kl", "kl/reference", ""),
    _Same("entropy", "policy/entropy", ""),
    _Same("format", "format/adherence", ""),
    _Same("percentage_of_thinking_format", "format/adherence", "figure 4 of the paper"),
)
TABLE = ""
"""The tool of tables that no tool is recognised in: their columns are called by plain words."""
FOREIGN_METRICS: Mapping[str, tuple[ForeignMetric, ...]] = MappingProxyType(
    {
        "verl": _VERL,
        "openrlhf": _OPENRLHF,
        "trl": _TRL,
        "prime-rl": _PRIME_RL,
        "skyrl": _SKYRL,
        "open-instruct": _OPEN_INSTRUCT,
        "tinker": _TINKER,
        "llama-factory": _LLAMA_FACTORY,
        TABLE: _OWN_TABLES,
    }
)
"""By tool, in order of precedence where two names of one tool are one metric of ours. Read in verl 0.9.1, OpenRLHF
0.11.2, TRL 1.16, prime-rl 559b447, SkyRL 0.4.0, and open-instruct, tinker-cookbook and LLaMA-Factory of August 2026."""
TITLES: Mapping[str, str] = MappingProxyType(
    {
        "verl": "verl",
        "openrlhf": "OpenRLHF",
        "trl": "TRL",
        "prime-rl": "prime-rl",
        "skyrl": "SkyRL",
        "open-instruct": "open-instruct",
        "tinker": "tinker",
        "llama-factory": "LLaMA-Factory",
    }
)
_SIGNS: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "verl": re.compile(
            r"critic/score/mean|actor/(pg_loss|entropy|ppo_kl)|response_length/.*|val-core/.*|timing_s/.*"
        ),
        "openrlhf": re.compile(r"train/rollout/.*|train/(policy_loss|actor_lr|ppo_clip_ratio)"),
        "trl": re.compile(r"(train/)?(rewards/.+|reward_std|completions/(mean_length|clipped_ratio))"),
        "prime-rl": re.compile(r"train/agg/.*|mismatch_kl/all/mean"),
        "skyrl": re.compile(r"reward/avg_raw_reward|generate/avg_num_tokens|policy/policy_(loss|lr|entropy)"),
        "open-instruct": re.compile(r"(eval/)?objective/verifiable_.*|val/(sequence_lengths|stop_rate)"),
        "tinker": re.compile(r"progress/(batch|done_frac)|env/all/.*"),
        "llama-factory": re.compile(r"current_steps"),
    }
)
"""Names that only one tool uses."""


@cache
def same_metrics(tool: str) -> Mapping[str, str]:
    """Metrics of a tool that are ours: its name -> ours."""
    return MappingProxyType({one.name: one.ours for one in FOREIGN_METRICS[tool] if one.ours is not None})


def logged_by(names: Iterable[str]) -> str:
    """` of verl`, for messages; empty where no tool is recognised."""
    tool = tool_of(names)
    return f" of {TITLES[tool]}" if tool in TITLES else ""


def tool_of(names: Iterable[str]) -> str:
    """The only tool that uses one of these names for metrics; TABLE where there is none, or several."""
    names = list(names)
    found = [tool for tool, signs in _SIGNS.items() if any(signs.fullmatch(name) for name in names)]
    return found[0] if len(found) == 1 else TABLE
