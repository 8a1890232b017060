"""A configuration in TRL's terms: the arguments of its trainers, what it cannot express, and what the mapping loses.

Every argument that changes a gradient is set here, none is left to TRL's default. Read in the source of TRL 1.16:
several defaults are another algorithm (a token of KL weighted by the ratio, bf16, a KL term in RLOO, a shuffled data
set), and what a name means is said where it is set.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from orz_bench.errors import counted
from orz_rl.backends.backend import Finding
from orz_rl.config import TrainConfig
from orz_rl.names import Estimator, Normalisation

ESTIMATORS: tuple[Estimator, ...] = ("grpo", "dr_grpo", "rloo")
_LOSSES: Mapping[Normalisation, str] = MappingProxyType({"token": "dapo", "sequence": "grpo", "constant": "dr_grpo"})
"""TRL's loss_type. dapo: the sum over tokens divided by the generation's tokens; grpo: the mean of every response, then
over responses; dr_grpo: the sum over max_completion_length. (bnpo divides each micro-batch by its own tokens.)"""
_DEVIATION = 1e-4
"""What TRL adds to the deviation of a group."""


@dataclass(frozen=True, slots=True)
class Batches:
    """How TRL splits the rollouts of a step."""

    micro: int
    """Responses of one forward and backward pass, padded to the longest of the step."""
    per_update: int
    """Such passes for one optimizer step."""
    per_step: int
    """Such passes for all optimizer steps of a generation."""

    @classmethod
    def of(cls, config: TrainConfig) -> Batches:
        """The largest equal parts of an update that fit into cluster.pack_tokens at the longest sequence."""
        updates = config.optim.policy_updates
        rollouts = config.num_rollouts // updates
        most = max(1, config.cluster.pack_tokens // config.max_sequence)
        micro = max(size for size in range(1, min(rollouts, most) + 1) if rollouts % size == 0)
        return cls(micro, rollouts // micro, config.num_rollouts // micro)


def is_rloo(config: TrainConfig) -> bool:
    """Whether RLOOTrainer trains; otherwise GRPOTrainer does."""
    return config.advantage.estimator == "rloo"


def arguments(config: TrainConfig, *, output_dir: str) -> dict[str, Any]:
    """Arguments of GRPOConfig or RLOOConfig."""
    return _common(config, output_dir=output_dir) | (_rloo(config) if is_rloo(config) else _grpo(config))


def reward_scale(config: TrainConfig, *, num_tokens: int) -> float:
    """The factor of the rewards that TRL gets, for a step whose responses have this many tokens together.

    GRPOTrainer normalises as configured: 1. RLOOTrainer sums the tokens of a response and averages over responses, so
    each token weighs 1 / B. Its advantages are linear in the rewards: scaled, each token weighs what it is to weigh.
    """
    if not is_rloo(config):
        return 1.0
    if config.loss.normalisation == "constant":
        return 1.0 / config.rollout.max_tokens
    return config.num_rollouts / num_tokens


def _common(config: TrainConfig, *, output_dir: str) -> dict[str, Any]:
    rollout, optim, batches = config.rollout, config.optim, Batches.of(config)
    return {
        "output_dir": output_dir,
        "seed": config.seed,
        "data_seed": config.seed,
        "use_cpu": config.cluster.device == "cpu",
        "bf16": config.model.dtype == "bfloat16",  # TRL's default is true
        "gradient_checkpointing": config.model.gradient_checkpointing,
        "gradient_checkpointing_kwargs": {"use_reentrant": False},
        # One epoch: the data set is the whole stream of problems, in its order.
        "max_steps": config.num_steps * optim.policy_updates,
        "shuffle_dataset": False,
        "num_generations": rollout.num_samples,
        "per_device_train_batch_size": batches.micro,
        "gradient_accumulation_steps": batches.per_update,
        "steps_per_generation": batches.per_step,
        "num_iterations": 1,  # passes over a generation; policy_updates are optimizer steps on parts of it
        "max_completion_length": rollout.max_tokens,
        "pad_to_multiple_of": None,
        # Divides the logits of the trainer too, as ours; the three others would be read by TRL's own generation only.
        "temperature": rollout.temperature,
        "top_p": rollout.top_p,
        "top_k": max(0, rollout.top_k),  # 0: off
        "min_p": None,
        "repetition_penalty": 1.0,
        "use_vllm": False,
        "use_transformers_continuous_batching": False,
        "mask_truncated_completions": False,  # truncated responses have reward 0 and stay in the loss
        "disable_dropout": True,
        "router_aux_loss_coef": 0.0,  # the default is that of the architecture
        "epsilon": config.loss.clip_low,
        "epsilon_high": config.loss.clip_high,
        "reward_weights": [1.0],
        "sync_ref_model": False,
        "learning_rate": optim.policy_lr,  # the schedule and the optimizer are our own objects
        "adam_beta1": optim.betas[0],
        "adam_beta2": optim.betas[1],
        "weight_decay": optim.weight_decay,
        "max_grad_norm": optim.max_grad_norm,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "no",
        "eval_strategy": "no",
        "report_to": [],
        "log_completions": False,
        "disable_tqdm": True,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "trust_remote_code": False,
    }


def _grpo(config: TrainConfig) -> dict[str, Any]:
    return {
        "cast_lm_head_to_fp32": False,
        "loss_type": _LOSSES[config.loss.normalisation],
        "scale_rewards": "group" if config.advantage.estimator == "grpo" else "none",
        "multi_objective_aggregation": "sum_then_normalize",
        "importance_sampling_level": "token",
        "delta": None,
        "beta": config.loss.kl_loss,
        "use_bias_correction_kl": False,  # the default multiplies the KL of a token by its ratio: another gradient
        "top_entropy_quantile": 1.0,
        "entropy_coef": 0.0,
        "use_adaptive_entropy": False,
        "off_policy_mask_threshold": None,
        "vllm_importance_sampling_correction": False,  # on by default, for use_vllm only
    }


def _rloo(config: TrainConfig) -> dict[str, Any]:
    return {
        "beta": config.loss.kl_penalty * reward_scale(config, num_tokens=1),  # the default is 0.05
        "normalize_advantages": False,
        "reward_clip_range": None,
    }


def findings(config: TrainConfig) -> Iterator[Finding]:
    """Everything that TRL cannot express, then what a mapping loses."""
    yield from _unsupported(config)
    if config.advantage.estimator in ESTIMATORS:
        yield from _losses_of_loss(config)
    yield from _losses_of_machine(config)


def _unsupported(config: TrainConfig) -> Iterator[Finding]:
    for finding in (*_algorithms(config), *_machines(config)):
        yield Finding(*finding, is_error=True)


def _algorithms(config: TrainConfig) -> Iterator[tuple[str, str]]:
    rollout, loss, estimator = config.rollout, config.loss, config.advantage.estimator
    if config.is_supervised or config.has_teacher:
        yield "advantage.estimator", f"{estimator}: distillation is for the backend native; use it, or orz-rl train"
    elif estimator not in ESTIMATORS:
        what = "have no critic" if estimator == "gae" else "whiten no discounted rewards over the batch"
        yield "advantage.estimator", f"{estimator}: TRL's trainers {what}; use one of {', '.join(ESTIMATORS)}"
    if loss.objective != "ppo":
        yield "loss.objective", f"{loss.objective}: TRL's trainers have the clipped objective only; set ppo"
    if config.model.head_float32:
        yield "model.head_float32", "is true; this backend multiplies the output layer in the model's type: set false"
    if rollout.num_samples < 2:
        yield "rollout.num_samples", f"is {rollout.num_samples}; TRL compares at least 2 samples of a problem"
    if rollout.dynamic_sampling:
        yield "rollout.dynamic_sampling", "TRL replaces no groups of equal rewards; set 0"
    yield from _native_alone(config)
    yield from _corrections(config)
    if config.num_rollouts % config.optim.policy_updates:
        yield (
            "optim.policy_updates",
            f"is {config.optim.policy_updates}; TRL's updates have equally many of the "
            f"{counted(config.num_rollouts, 'rollout')}: choose a divisor",
        )
    if estimator == "rloo":
        yield from _of_rloo(config)
    elif estimator in ESTIMATORS:
        yield from _of_grpo(config)


def _native_alone(config: TrainConfig) -> Iterator[tuple[str, str]]:
    if config.loss.positive_nll:
        yield "loss.positive_nll", "TRL's trainers have no likelihood of rewarded responses; set 0"
    if config.rollout.replay is not None:
        yield "rollout.replay", "stored rollouts are learned by the backend native; set null"
    if config.reward.truncated == "mask":
        yield "reward.truncated", "mask is for the backend native; set zero"


def _corrections(config: TrainConfig) -> Iterator[tuple[str, str]]:
    for name in ("importance_cap", "importance_band", "sequence_band"):
        if getattr(config.loss, name) is not None:
            yield f"loss.{name}", "TRL corrects for its own vLLM only, which does not generate here; set null"
    if config.loss.clip_against == "sampler":
        yield "loss.clip_against", "is sampler; TRL clips against its policy before the step: set auto"


def _of_grpo(config: TrainConfig) -> Iterator[tuple[str, str]]:
    loss = config.loss
    if loss.kl_loss > 0 and loss.kl_loss_estimator != "k3":
        yield "loss.kl_estimator", f"{loss.kl_loss_estimator} in the loss; GRPOTrainer has k3 only: set k3"
    if loss.kl_penalty > 0:
        yield "loss.kl_penalty", "GRPOTrainer has no KL in the rewards; set 0, and loss.kl_loss with k3"


def _of_rloo(config: TrainConfig) -> Iterator[tuple[str, str]]:
    loss = config.loss
    if loss.normalisation == "sequence":
        yield (
            "loss.normalisation",
            "sequence: RLOOTrainer weighs all tokens of a step alike; use token or constant, or "
            "advantage.estimator=dr_grpo, whose advantages differ by the factor (n - 1) / n only",
        )
    if loss.kl_loss > 0:
        yield "loss.kl_loss", "RLOOTrainer has its KL in the rewards; set 0, and loss.kl_penalty"
    if loss.kl_penalty > 0 and loss.normalisation != "constant":
        yield (
            "loss.kl_penalty",
            "RLOOTrainer's rewards are scaled by the lengths of a step; set loss.normalisation=constant",
        )


def _machines(config: TrainConfig) -> Iterator[tuple[str, str]]:
    rollout, cluster = config.rollout, config.cluster
    if cluster.policy_ranks > 1:
        yield "cluster.policy_ranks", f"is {cluster.policy_ranks}; this backend trains in one process: set 1"
    for name, count in (("num_engines", rollout.num_engines), ("tensor_parallel", rollout.tensor_parallel)):
        if count > 1:
            yield f"rollout.{name}", f"is {count}; this backend has one engine in its process: set 1"
    if rollout.max_staleness:
        yield "rollout.max_staleness", f"is {rollout.max_staleness}; one process samples and learns in turn: set 0"
    if cluster.device == "cuda" and not cluster.colocate:
        yield "cluster.colocate", "is false; this backend's engine shares the trainer's GPU: set true"
    if cluster.offload_optimizer:
        yield "cluster.offload_optimizer", "TRL keeps the optimizer's state on the device without DeepSpeed; set false"


def _losses_of_loss(config: TrainConfig) -> Iterator[Finding]:
    several = config.optim.policy_updates > 1
    if config.advantage.estimator == "grpo":
        yield _lost(
            "advantage.estimator",
            f"GRPOTrainer divides by the group's deviation + {_DEVIATION:g}: advantages are smaller by up to "
            f"{100 * _DEVIATION / (_DEVIATION + config.rollout.num_samples**-0.5):.2f} % where rewards are 0 and 1",
        )
    if several:
        yield _lost(
            "optim.policy_updates",
            "TRL deals the rollouts to the updates in another random order",
        )
    if several and config.loss.normalisation == "token":
        yield _lost(
            "loss.normalisation",
            "token: each update is divided by its equal share of the step's tokens, not by its own number of tokens",
        )
    if several and is_rloo(config):
        yield _lost(
            "loss.clip_low",
            "RLOOTrainer weighs and clips whole responses by the product of their tokens' ratios, not every token",
        )


def _losses_of_machine(config: TrainConfig) -> Iterator[Finding]:
    cluster, micro = config.cluster, Batches.of(config).micro
    yield _lost(
        "cluster.pack_tokens",
        f"TRL pads every rollout to the longest of its step instead of packing, {counted(micro, 'rollout')} at a time",
    )
    if config.model.dtype == "bfloat16":
        yield _lost(
            "model.dtype",
            "bfloat16: TRL keeps weights in float32 and computes in bfloat16 (autocast): other rounding, more memory",
        )
    if cluster.device == "cuda":
        yield _lost(
            "cluster.device",
            "cuda: the engine and TRL's trainer hold the GPU's memory at the same time, so leave room with "
            "rollout.gpu_memory_share; new weights reach the engine through the host's memory",
        )


def _lost(setting: str, text: str) -> Finding:
    return Finding(setting, text, is_error=False)
