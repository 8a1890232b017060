"""OpenRLHF 0.11: our settings as options of its command (train_ppo_ray), read in OpenRLHF 0.11.2's own source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orz_bench.errors import counted
from orz_rl.backends.external.mapping import ours
from orz_rl.backends.external.mapping.shares import nodes
from orz_rl.backends.external.mapping.table import Keys, Row, Target, configured, to
from orz_rl.config import TrainConfig

_MODELS = ("actor", "critic")
_ESTIMATORS = {
    "gae": "gae",
    "grpo": "group_norm",
    "dr_grpo": "dr_grpo",
    "rloo": "rloo",
    "reinforce_pp": "reinforce",
}
_AGGREGATIONS = {"token": "token-mean", "sequence": "seq-mean-token-mean"}
_OFF = 1e9
"""A bound that nothing reaches."""

_FIXED: Keys = {
    "data.input_key": "ticket",
    "data.label_key": "ticket",
    "train.num_episodes": 1,
    "train.max_epochs": 1,
    "train.dynamic_batch_enable": True,
    "ds.packing_samples": True,
    "ds.attn_implementation": "flash_attention_2",
    "ds.param_dtype": "bf16",
    "ds.grad_accum_dtype": "fp32",
    "ckpt.load_enable": True,
    "ckpt.best_metric_key": "none",
    "logger.logging_steps": 1,
    "logger.wandb.run_name": "orz",
    "vllm.enable_prefix_caching": True,
}


def options(target: Target) -> dict[str, Any]:
    """Option -> value; True is an option without a value, and false and None are left out."""
    files: Keys = {
        "data.prompt_dataset": str(target.tickets),
        "train.agent_func_path": str(target.folder / "code" / "orz_openrlhf.py"),
        "ckpt.path": str(target.checkpoints),
        "ckpt.output_dir": str(final(target)),
        "logger.tensorboard_dir": str(target.logs),
    }
    return configured(TABLE, target, fixed={**_FIXED, **files})


def arguments(found: Mapping[str, Any]) -> Iterator[str]:
    """The command line."""
    for name, value in found.items():
        if value is None or value is False:
            continue
        yield f"--{name}"
        if value is not True:
            yield from map(str, value if isinstance(value, list) else [value])


def final(target: Target) -> Any:
    """Where it saves the policy at the end of a run of so many steps."""
    return target.folder / f"final-{target.config.num_steps}"


def _both(setting: str, name: str) -> Row:
    """A setting of both models."""
    return to(setting, *(f"{model}.{name}" for model in _MODELS))


def _placement(target: Target) -> Keys:
    cluster = target.config.cluster
    keys: dict[str, Any] = {}
    ranks = {"actor": cluster.policy_ranks, "ref": cluster.policy_ranks, "critic": cluster.critic_ranks}
    for model, count in ranks.items():
        num_nodes, per_node = nodes(count)
        keys |= {f"{model}.num_nodes": num_nodes, f"{model}.num_gpus_per_node": per_node}
    return keys


def _colocate(target: Target) -> Keys:
    together = target.config.cluster.colocate
    return {
        "train.colocate_all": together,
        "vllm.enable_sleep": together,
        "ds.enable_sleep": together,
        "train.colocate_actor_ref": not together and target.config.has_reference,
    }


def _batch(target: Target) -> Keys:
    return {"train.batch_size": target.config.num_rollouts // target.config.optim.policy_updates}


def _batch_unsupported(config: TrainConfig) -> str:
    updates, ranks = config.optim.policy_updates, config.cluster.policy_ranks
    if config.num_rollouts % updates == 0 and config.num_rollouts // updates % ranks == 0:
        return ""
    return (
        f"{counted(config.num_rollouts, 'rollout')} do not divide into {counted(updates, 'optimizer step')} on "
        f"{counted(ranks, 'GPU')}; choose sizes that do"
    )


def _order_lost(config: TrainConfig) -> str:
    if config.optim.policy_updates == 1:
        return ""
    return "OpenRLHF takes mini-batches in the order of sampling, not shuffled"


def _critic_unsupported(config: TrainConfig) -> str:
    policy, critic = config.optim.policy_updates, config.optim.critic_updates
    if not config.has_critic or policy == critic:
        return ""
    return (
        f"OpenRLHF trains policy and critic on the same batches, so {counted(critic, 'optimizer step')} of the critic "
        f"beside {policy} of the policy cannot be expressed; set optim.critic_updates={policy}, or use another backend"
    )


def _schedule(model: str, setting: str) -> Row:
    def warmup(config: TrainConfig) -> int:
        optim = config.optim
        return optim.policy_warmup_updates if model == "actor" else optim.critic_warmup_updates

    def keys(target: Target) -> Keys:
        config, optim = target.config, target.config.optim
        total = config.num_steps * optim.policy_updates
        falls = model == "actor" and optim.final_lr is not None
        return {
            f"{model}.lr_scheduler": "cosine_with_min_lr" if falls else "constant_with_warmup",
            f"{model}.min_lr_ratio": (optim.final_lr or 0.0) / optim.policy_lr if falls else 1.0,
            # It is rounded up to optimizer steps: half a step less is the same number, whatever a float makes of it.
            f"{model}.lr_warmup_ratio": max(0.0, (warmup(config) - 0.5) / total),
        }

    def lost(config: TrainConfig) -> str:
        if not warmup(config) or (model == "critic" and not config.has_critic):
            return ""
        return "the warm-up begins one optimizer step later, with a rate of 0 in the first"

    return Row(setting=setting, keys=keys, lost=lost)


def _final_lost(config: TrainConfig) -> str:
    if config.optim.final_lr is None:
        return ""
    return "the rate falls as a cosine instead of a line, to the same value at the last step"


def _kl(target: Target) -> Keys:
    loss = target.config.loss
    in_loss = loss.kl_loss > 0
    return {
        "algo.kl.init_coef": loss.kl_loss or loss.kl_penalty,
        "algo.kl.use_loss": in_loss,
        "algo.kl.estimator": loss.kl_loss_estimator if in_loss else loss.kl_penalty_estimator,
    }


def _kl_lost(config: TrainConfig) -> str:
    if not config.loss.kl_penalty or config.advantage.estimator in ("gae", "reinforce_pp"):
        return ""
    return "OpenRLHF subtracts it after the comparison within the group, from the tokens that follow it"


def _importance(target: Target) -> Keys:
    cap = target.config.loss.importance_cap
    if cap is None:
        return {"algo.advantage.is_correction_level": "off"}
    return {
        "algo.advantage.is_correction_level": "token",
        "algo.advantage.is_correction_mode": "clip",
        "algo.advantage.is_correction_gating": "ratio",
        "algo.advantage.is_correction_threshold": [0.0, cap],
    }


def _normalisation_unsupported(config: TrainConfig) -> str:
    is_known = config.loss.normalisation in _AGGREGATIONS
    return "" if is_known else "OpenRLHF has token and sequence; use one of them"


def _normalisation_lost(config: TrainConfig) -> str:
    if config.loss.normalisation == "sequence" and config.has_critic:
        return "OpenRLHF always averages the value loss over tokens"
    return ""


def _gamma_unsupported(config: TrainConfig) -> str:
    if config.advantage.gamma == 1 or config.advantage.estimator in ("gae", "reinforce_pp"):
        return ""
    return "OpenRLHF uses 1 with this estimator; leave it out"


def _dynamic_unsupported(config: TrainConfig) -> str:
    if not config.rollout.dynamic_sampling:
        return ""
    return "its hooks are not told the step, so rollouts of replaced groups would be of unknown steps; set it to 0"


def keeps_logprobs(config: TrainConfig) -> bool:
    """Whether vllm's log-probabilities are those of the distribution that it samples from.

    Without an importance correction OpenRLHF leaves it at those before temperature, top-p and top-k.
    """
    rollout = config.rollout
    changes = (rollout.temperature, rollout.top_p, rollout.top_k) != (1.0, 1.0, -1)
    return not changes or config.loss.importance_cap is not None


def _logprobs_lost(config: TrainConfig) -> str:
    if keeps_logprobs(config):
        return ""
    return (
        "vllm reports log-probabilities before temperature, top-p and top-k there, so rollouts are written without them"
    )


def _wandb(target: Target) -> Keys:
    project = target.config.logging.wandb_project
    # Any key switches it on; wandb takes the real one from its own environment or login.
    return {"logger.wandb.project": project, "logger.wandb.key": "from-the-environment"} if project else {}


TABLE: tuple[Row, ...] = ours.with_ours(
    (
        Row(setting="model.policy", keys=lambda target: {"actor.model_name_or_path": target.policy}),
        Row(
            setting="model.critic",
            keys=lambda target: {"critic.model_name_or_path": target.critic if target.config.has_critic else None},
        ),
        Row(setting="model.dtype", instead="ds.param_dtype bf16", unsupported=ours.needs_bfloat16),
        Row(
            setting="model.value_head_init",
            instead="OpenRLHF's own value head, which is that of ORZ's code",
            unsupported=ours.has_head_of_code("OpenRLHF"),
        ),
        to("model.gradient_checkpointing", "actor.gradient_checkpointing_enable"),
        Row(setting="model.attention", instead="flash_attention_2", lost=ours.uses_flash),
        Row(setting="data.max_prompt_tokens", instead="our service, which refuses longer prompts"),
        to("rollout.num_problems", "rollout.batch_size"),
        to("rollout.num_samples", "rollout.n_samples_per_prompt"),
        Row(
            setting="rollout.temperature",
            keys=lambda target: {"rollout.temperature": target.config.rollout.temperature},
            lost=_logprobs_lost,
        ),
        to("rollout.top_p", "rollout.top_p"),
        Row(setting="rollout.top_k", instead="our agent executor, which passes it to the engine"),
        to("rollout.max_tokens", "rollout.max_new_tokens"),
        Row(setting="rollout.max_model_len", keys=lambda target: {"data.max_len": target.config.max_sequence}),
        to("rollout.num_engines", "vllm.num_engines"),
        to("rollout.tensor_parallel", "vllm.tensor_parallel_size"),
        to("rollout.gpu_memory_share", "vllm.gpu_memory_utilization"),
        Row(setting="rollout.dynamic_sampling", instead="nothing", unsupported=_dynamic_unsupported),
        Row(
            setting="advantage.estimator",
            keys=lambda target: {
                "algo.advantage.estimator": _ESTIMATORS.get(target.config.advantage.estimator),
            },
            unsupported=ours.other_estimator(_ESTIMATORS),
        ),
        Row(
            setting="advantage.gamma",
            keys=lambda target: {"algo.advantage.gamma": target.config.advantage.gamma},
            unsupported=_gamma_unsupported,
        ),
        to("advantage.lam", "algo.advantage.lambd"),
        Row(
            setting="advantage.whiten",
            instead="gae's advantages, always whitened",
            unsupported=ours.whitens_anyway("OpenRLHF", "centres"),
        ),
        Row(
            setting="loss.clip_low",
            keys=lambda target: {
                "actor.eps_clip_low_high": [target.config.loss.clip_low, target.config.loss.clip_high]
            },
        ),
        Row(setting="loss.clip_high", instead="the option of loss.clip_low"),
        Row(
            setting="loss.value_clip",
            keys=lambda target: {
                "critic.value_clip": _OFF if target.config.loss.value_clip is None else target.config.loss.value_clip
            },
        ),
        Row(
            setting="loss.normalisation",
            keys=lambda target: {"actor.loss_agg_mode": _AGGREGATIONS.get(target.config.loss.normalisation)},
            lost=_normalisation_lost,
            unsupported=_normalisation_unsupported,
        ),
        Row(setting="loss.kl_loss", keys=_kl, unsupported=ours.has_one_kl_term("OpenRLHF")),
        Row(setting="loss.kl_penalty", instead="the options of loss.kl_loss", lost=_kl_lost),
        Row(setting="loss.kl_estimator", instead="the options of loss.kl_loss"),
        Row(setting="loss.importance_cap", keys=_importance),
        to("optim.policy_lr", "actor.adam.lr"),
        to("optim.critic_lr", "critic.adam.lr"),
        Row(
            setting="optim.betas",
            keys=lambda target: {f"{model}.adam.betas": list(target.config.optim.betas) for model in _MODELS},
        ),
        _both("optim.weight_decay", "adam.weight_decay"),
        _both("optim.max_grad_norm", "max_norm"),
        _schedule("actor", "optim.policy_warmup_updates"),
        _schedule("critic", "optim.critic_warmup_updates"),
        Row(setting="optim.final_lr", instead="the options of optim.policy_warmup_updates", lost=_final_lost),
        Row(setting="optim.policy_updates", keys=_batch, lost=_order_lost, unsupported=_batch_unsupported),
        Row(setting="optim.critic_updates", instead="those of the policy", unsupported=_critic_unsupported),
        Row(setting="cluster.colocate", keys=_colocate, unsupported=ours.colocates_on_equal_gpus("OpenRLHF")),
        Row(setting="cluster.policy_ranks", keys=_placement),
        Row(setting="cluster.critic_ranks", instead="the options of cluster.policy_ranks"),
        to("cluster.zero_stage", "ds.zero_stage"),
        to("cluster.offload_optimizer", "ds.adam_offload"),
        to("cluster.pack_tokens", "train.max_tokens_per_gpu", "rollout.max_tokens_per_gpu"),
        to("checkpoint.every", "ckpt.save_steps"),
        to("checkpoint.keep_last", "ckpt.max_num"),
        Row(setting="logging.tensorboard", without_effect="its event files are how its metrics are read"),
        Row(setting="logging.wandb_project", keys=_wandb),
        to("seed", "train.seed"),
        Row(setting="num_steps", instead="the number of tickets"),
    )
)
