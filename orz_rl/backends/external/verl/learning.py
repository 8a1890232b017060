"""verl 0.9: advantages, losses and optimisers as keys of its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orz_bench.errors import counted
from orz_rl.backends.external.mapping.ours import other_estimator, whitens_anyway
from orz_rl.backends.external.mapping.shares import generations, num_gpus, num_updates, prompts_per_update
from orz_rl.backends.external.mapping.table import Keys, Row, Target, to
from orz_rl.config import TrainConfig

ACTOR, CRITIC = "actor_rollout_ref.actor", "critic"
_ESTIMATORS = {
    "gae": "gae",
    "grpo": "grpo",
    "dr_grpo": "grpo",
    "rloo": "rloo",
    "reinforce_pp": "reinforce_plus_plus",
}
_AGGREGATIONS = {"token": "token-mean", "sequence": "seq-mean-token-mean", "constant": "seq-mean-token-sum-norm"}
OFF = 1e9
"""A bound that nothing reaches, where verl has no way to leave one out."""


def _updates(config: TrainConfig, model: str) -> tuple[int, int]:
    """(optimizer steps wanted, those that verl makes) in a step."""
    wanted = config.optim.policy_updates if model == ACTOR else config.optim.critic_updates
    return wanted, num_updates(config, wanted, ranks=num_gpus(config))


def _mini_batch(model: str, setting: str) -> Row:
    """verl divides a step into mini-batches of equal numbers of whole prompts."""

    def keys(target: Target) -> Keys:
        wanted, _ = _updates(target.config, model)
        size = prompts_per_update(target.config, wanted, ranks=num_gpus(target.config))
        return {f"{model}.ppo_mini_batch_size": size}

    def lost(config: TrainConfig) -> str:
        wanted, found = _updates(config, model)
        if wanted == found or not _is_used(config, model):
            return ""
        prompts = counted(config.rollout.num_problems // found, "prompt")
        return (
            f"{counted(wanted, 'optimizer step')} a generation become {found} of {prompts} each: verl's mini-batches "
            f"are equal numbers of whole prompts, and a step that does not divide would be filled up"
        )

    def unsupported(config: TrainConfig) -> str:
        gpus = num_gpus(config)
        wanted, _ = _updates(config, model)
        if prompts_per_update(config, wanted, ranks=gpus) is not None or not _is_used(config, model):
            return ""
        return (
            f"no mini-batch of whole prompts divides over {counted(gpus, 'GPU')}: choose rollout.num_problems and "
            f"rollout.num_samples whose product is a multiple of them"
        )

    return Row(setting=setting, keys=keys, lost=lost, unsupported=unsupported)


def _is_used(config: TrainConfig, model: str) -> bool:
    return model == ACTOR or config.has_critic


def _warmup(model: str, setting: str) -> Row:
    """verl's rates change once a generation, and its `constant` schedule begins at 0: its cosine is used, with equal
    ends where the rate is constant.
    """

    def wanted(config: TrainConfig) -> int:
        optim = config.optim
        return optim.policy_warmup_updates if model == ACTOR else optim.critic_warmup_updates

    def keys(target: Target) -> Keys:
        optim = target.config.optim
        falls = model == ACTOR and optim.final_lr is not None
        return {
            f"{model}.optim.lr_scheduler_type": "cosine",
            f"{model}.optim.zero_indexed_step": False,
            f"{model}.optim.min_lr_ratio": (optim.final_lr or 0.0) / optim.policy_lr if falls else 1.0,
            f"{model}.optim.lr_warmup_steps": generations(wanted(target.config), _updates(target.config, model)[1]),
        }

    def lost(config: TrainConfig) -> str:
        _, updates = _updates(config, model)
        if not wanted(config) or updates == 1 or not _is_used(config, model):
            return ""
        steps = counted(generations(wanted(config), updates), "generation")
        return (
            f"verl's rates change once a generation: {counted(wanted(config), 'optimizer step')} become {steps} of "
            f"{updates}, each with one rate"
        )

    return Row(setting=setting, keys=keys, lost=lost)


def _estimator(target: Target) -> Keys:
    estimator = target.config.advantage.estimator
    return {
        "algorithm.adv_estimator": _ESTIMATORS.get(estimator),
        "algorithm.norm_adv_by_std_in_grpo": estimator != "dr_grpo",
        "critic.enable": target.config.has_critic,
    }


def _kl_loss(target: Target) -> Keys:
    loss = target.config.loss
    return {
        f"{ACTOR}.use_kl_loss": loss.kl_loss > 0,
        f"{ACTOR}.kl_loss_coef": loss.kl_loss,
        f"{ACTOR}.kl_loss_type": loss.kl_loss_estimator,
    }


def _kl_penalty(target: Target) -> Keys:
    loss = target.config.loss
    return {
        "algorithm.use_kl_in_reward": loss.kl_penalty > 0,
        "algorithm.kl_penalty": loss.kl_penalty_estimator,
        "algorithm.kl_ctrl.type": "fixed",
        "algorithm.kl_ctrl.kl_coef": loss.kl_penalty,
    }


def _aggregation(target: Target) -> Keys:
    config = target.config
    scale = config.rollout.max_tokens if config.loss.normalisation == "constant" else None
    keys: dict[str, Any] = {}
    for model in (ACTOR, CRITIC):
        mode = _AGGREGATIONS[config.loss.normalisation]
        keys |= {f"{model}.loss_agg_mode": mode, f"{model}.loss_scale_factor": scale}
    return keys


def _importance(target: Target) -> Keys:
    cap = target.config.loss.importance_cap
    return {
        "algorithm.rollout_correction.rollout_is": None if cap is None else "token",
        "algorithm.rollout_correction.rollout_is_threshold": 2.0 if cap is None else cap,
    }


def _value_clip(target: Target) -> Keys:
    clip = target.config.loss.value_clip
    return {"critic.cliprange_value": OFF if clip is None else clip}


def _betas(target: Target) -> Keys:
    return {f"{model}.optim.betas": list(target.config.optim.betas) for model in (ACTOR, CRITIC)}


def _final_lost(config: TrainConfig) -> str:
    if config.optim.final_lr is None:
        return ""
    return "the rate falls as a cosine instead of a line, to the same value at the last step"


LEARNING: Sequence[Row] = (
    Row(setting="advantage.estimator", keys=_estimator, unsupported=other_estimator(_ESTIMATORS)),
    to("advantage.gamma", "algorithm.gamma"),
    to("advantage.lam", "algorithm.lam"),
    Row(setting="advantage.whiten", instead="gae's advantages, always whitened", unsupported=whitens_anyway("verl")),
    to("loss.clip_low", f"{ACTOR}.clip_ratio", f"{ACTOR}.clip_ratio_low"),
    to("loss.clip_high", f"{ACTOR}.clip_ratio_high"),
    Row(setting="loss.value_clip", keys=_value_clip),
    Row(setting="loss.normalisation", keys=_aggregation),
    Row(setting="loss.kl_loss", keys=_kl_loss),
    Row(setting="loss.kl_penalty", keys=_kl_penalty),
    Row(setting="loss.kl_estimator", instead="the keys of loss.kl_loss and loss.kl_penalty"),
    Row(setting="loss.importance_cap", keys=_importance),
    to("optim.policy_lr", f"{ACTOR}.optim.lr"),
    to("optim.critic_lr", f"{CRITIC}.optim.lr"),
    Row(setting="optim.betas", keys=_betas),
    to("optim.weight_decay", f"{ACTOR}.optim.weight_decay", f"{CRITIC}.optim.weight_decay"),
    to("optim.max_grad_norm", f"{ACTOR}.optim.clip_grad", f"{CRITIC}.optim.clip_grad"),
    _warmup(ACTOR, "optim.policy_warmup_updates"),
    _warmup(CRITIC, "optim.critic_warmup_updates"),
    Row(setting="optim.final_lr", instead="the keys of optim.policy_warmup_updates", lost=_final_lost),
    _mini_batch(ACTOR, "optim.policy_updates"),
    _mini_batch(CRITIC, "optim.critic_updates"),
)
