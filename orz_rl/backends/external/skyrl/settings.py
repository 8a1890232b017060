"""SkyRL 0.4: our settings as keys of its configuration, read in SkyRL 0.4.0's own source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orz_bench.errors import counted
from orz_rl.backends.external.mapping import ours
from orz_rl.backends.external.mapping.shares import nodes, prompts_per_update
from orz_rl.backends.external.mapping.table import Keys, Row, Target, configured, to
from orz_rl.config import TrainConfig

_ENGINE, _ALGORITHM = "generator.inference_engine", "trainer.algorithm"
_MODELS = ("policy", "critic")
_ESTIMATORS = {"gae": "gae", "grpo": "grpo", "dr_grpo": "grpo", "rloo": "rloo", "reinforce_pp": "reinforce++"}
_REDUCTIONS = {"token": "token_mean", "sequence": "sequence_mean", "constant": "seq_mean_token_sum_norm"}
_OFF = 1e9
"""A bound that nothing reaches."""

_FIXED: Keys = {
    "data.val_data": [],
    "data.dataloader.num_workers": 0,
    "trainer.strategy": "fsdp",
    "trainer.epochs": 1,
    "trainer.resume_mode": "latest",
    "trainer.eval_interval": -1,
    "trainer.eval_before_train": False,
    "trainer.bf16": True,
    "trainer.flash_attn": True,
    "trainer.remove_microbatch_padding": True,
    "trainer.update_epochs_per_batch": 1,
    "trainer.print_example_interval": -1,
    f"{_ALGORITHM}.policy_loss_type": "regular",
    f"{_ALGORITHM}.advantage_batch_normalize": False,
    f"{_ALGORITHM}.use_entropy_loss": False,
    f"{_ENGINE}.backend": "vllm",
    f"{_ENGINE}.run_engines_locally": True,
    "generator.sampling_params.logprobs": 1,
}


def tickets(target: Target) -> Path:
    """Our entry point needs their number only."""
    return target.folder / "tickets.json"


def keys_of(target: Target) -> dict[str, Any]:
    """Key -> value, over SkyRL's defaults."""
    files: Keys = {
        "data.train_data": [str(tickets(target))],
        "trainer.ckpt_path": str(target.checkpoints),
        "trainer.export_path": str(target.folder / "exports"),
        "trainer.log_path": str(target.folder / "logs"),
        "trainer.run_name": target.folder.parent.name,
    }
    return configured(TABLE, target, fixed={**_FIXED, **files})


def _both(setting: str, name: str) -> Row:
    return to(setting, *(f"trainer.{model}.optimizer_config.{name}" for model in _MODELS))


def _ranks(config: TrainConfig, model: str) -> int:
    return config.cluster.policy_ranks if model == "policy" else config.cluster.critic_ranks


def _wanted(config: TrainConfig, model: str) -> int:
    return config.optim.policy_updates if model == "policy" else config.optim.critic_updates


def _is_used(config: TrainConfig, model: str) -> bool:
    return model == "policy" or config.has_critic


def _mini_batch(model: str, setting: str) -> Row:
    """SkyRL divides a step into mini-batches of equal numbers of whole prompts, in the order of sampling."""

    def size(config: TrainConfig) -> int | None:
        return prompts_per_update(config, _wanted(config, model), ranks=_ranks(config, model))

    def keys(target: Target) -> Keys:
        return {f"trainer.{model}_mini_batch_size": size(target.config)}

    def lost(config: TrainConfig) -> str:
        found, wanted = size(config), _wanted(config, model)
        if found is None or not _is_used(config, model):
            return ""
        updates = config.rollout.num_problems // found
        if updates != wanted:
            return (
                f"{counted(wanted, 'optimizer step')} a generation become {updates} of {counted(found, 'prompt')} "
                f"each: SkyRL's mini-batches are equal numbers of whole prompts, in the order of sampling"
            )
        return "" if updates == 1 else "SkyRL takes mini-batches of whole prompts in the order of sampling, unshuffled"

    def unsupported(config: TrainConfig) -> str:
        if size(config) is not None or not _is_used(config, model):
            return ""
        return (
            f"no mini-batch of whole prompts divides over {counted(_ranks(config, model), 'GPU')}: choose "
            f"rollout.num_problems and rollout.num_samples whose product is a multiple of them"
        )

    return Row(setting=setting, keys=keys, lost=lost, unsupported=unsupported)


def _warmup(model: str, setting: str) -> Row:
    def steps(config: TrainConfig) -> int:
        optim = config.optim
        return optim.policy_warmup_updates if model == "policy" else optim.critic_warmup_updates

    def keys(target: Target) -> Keys:
        optimizer = f"trainer.{model}.optimizer_config"
        return {
            f"{optimizer}.scheduler": "constant_with_warmup",
            f"{optimizer}.num_warmup_steps": steps(target.config),
        }

    def lost(config: TrainConfig) -> str:
        if not steps(config) or not _is_used(config, model):
            return ""
        return "the warm-up begins one optimizer step later, with a rate of 0 in the first"

    return Row(setting=setting, keys=keys, lost=lost)


def _placement(target: Target) -> Keys:
    cluster = target.config.cluster
    keys: dict[str, Any] = {}
    ranks = {"policy": cluster.policy_ranks, "ref": cluster.policy_ranks, "critic": cluster.critic_ranks}
    for model, count in ranks.items():
        num_nodes, per_node = nodes(count)
        place = f"trainer.placement.{model}"
        keys |= {f"{place}_num_nodes": num_nodes, f"{place}_num_gpus_per_node": per_node}
    return keys


def _estimator(target: Target) -> Keys:
    estimator = target.config.advantage.estimator
    return {
        f"{_ALGORITHM}.advantage_estimator": _ESTIMATORS.get(estimator),
        f"{_ALGORITHM}.grpo_norm_by_std": estimator != "dr_grpo",
    }


def _normalisation(target: Target) -> Keys:
    mode = target.config.loss.normalisation
    return {
        f"{_ALGORITHM}.loss_reduction": _REDUCTIONS[mode],
        f"{_ALGORITHM}.max_seq_len": target.config.rollout.max_tokens if mode == "constant" else None,
    }


def _normalisation_lost(config: TrainConfig) -> str:
    terms = [
        name
        for name, on in (("the value loss", config.has_critic), ("the KL term", config.loss.kl_loss > 0))
        if on and config.loss.normalisation != "sequence"
    ]
    return f"SkyRL averages {' and '.join(terms)} within each response, then over responses" if terms else ""


def _kl(target: Target) -> Keys:
    loss = target.config.loss
    in_loss = loss.kl_loss > 0
    return {
        f"{_ALGORITHM}.use_kl_loss": in_loss,
        f"{_ALGORITHM}.use_kl_in_reward": loss.kl_penalty > 0,
        f"{_ALGORITHM}.kl_loss_coef": loss.kl_loss or loss.kl_penalty,
        f"{_ALGORITHM}.kl_estimator_type": loss.kl_loss_estimator if in_loss else loss.kl_penalty_estimator,
    }


def _importance(target: Target) -> Keys:
    cap, correction = target.config.loss.importance_cap, f"{_ALGORITHM}.off_policy_correction"
    return {
        f"{correction}.tis_ratio_type": None if cap is None else "token",
        f"{correction}.token_tis_ratio_clip_high": 2.0 if cap is None else cap,
    }


def _dynamic(target: Target) -> Keys:
    rounds, sampling = target.config.rollout.dynamic_sampling, f"{_ALGORITHM}.dynamic_sampling"
    return {f"{sampling}.type": "filter" if rounds else None, f"{sampling}.max_sample_batches": rounds + 1}


def _dynamic_lost(config: TrainConfig) -> str:
    if not config.rollout.dynamic_sampling:
        return ""
    return (
        "each round samples a whole batch of problems, those beyond a full step are dropped, and a step that is not "
        "full after the last round ends the run"
    )


def _sharding(target: Target) -> Keys:
    """ZeRO stages as FSDP: 3 shards the weights, 2 keeps them after the forward pass, 0 replicates everything."""
    stage = target.config.cluster.zero_stage
    keys: dict[str, Any] = {}
    for model in _MODELS:
        fsdp = f"trainer.{model}.fsdp_config"
        keys |= {f"{fsdp}.reshard_after_forward": stage == 3, f"{fsdp}.fsdp_size": 1 if stage == 0 else -1}
    return keys


def _tracker(target: Target) -> Keys:
    logging = target.config.logging
    own = "tensorboard" if logging.tensorboard else "console"
    return {"trainer.logger": "wandb" if logging.wandb_project else own}


def _tracker_lost(config: TrainConfig) -> str:
    if not (config.logging.tensorboard and config.logging.wandb_project):
        return ""
    return "SkyRL reports to one tracker: Weights & Biases, without TensorBoard"


def _final_unsupported(config: TrainConfig) -> str:
    if config.optim.final_lr is None:
        return ""
    return "SkyRL's schedules end at 0 or stay constant; leave optim.final_lr out"


TABLE: tuple[Row, ...] = ours.with_ours(
    (
        Row(setting="model.policy", keys=lambda target: {"trainer.policy.model.path": target.policy}),
        Row(
            setting="model.critic",
            keys=lambda target: {
                "trainer.critic.model.path": target.critic if target.config.has_critic else None,
            },
        ),
        Row(
            setting="model.dtype",
            keys=lambda target: {f"{_ENGINE}.model_dtype": target.config.model.dtype},
            unsupported=ours.needs_bfloat16,
        ),
        Row(
            setting="model.value_head_init",
            instead="SkyRL's own value head, which is that of ORZ's code",
            unsupported=ours.has_head_of_code("SkyRL"),
        ),
        to("model.gradient_checkpointing", "trainer.gradient_checkpointing"),
        Row(setting="model.attention", instead="flash_attention_2", lost=ours.uses_flash),
        to("data.max_prompt_tokens", "trainer.max_prompt_length", "generator.max_input_length"),
        to("rollout.num_problems", "trainer.train_batch_size"),
        to("rollout.num_samples", "generator.n_samples_per_prompt"),
        to("rollout.temperature", "generator.sampling_params.temperature"),
        to("rollout.top_p", "generator.sampling_params.top_p"),
        to("rollout.top_k", "generator.sampling_params.top_k"),
        to("rollout.max_tokens", "generator.sampling_params.max_generate_length"),
        Row(
            setting="rollout.max_model_len",
            keys=lambda target: {f"{_ENGINE}.engine_init_kwargs.max_model_len": target.config.max_sequence},
        ),
        to("rollout.num_engines", f"{_ENGINE}.num_engines"),
        to("rollout.tensor_parallel", f"{_ENGINE}.tensor_parallel_size"),
        to("rollout.gpu_memory_share", f"{_ENGINE}.gpu_memory_utilization"),
        Row(setting="rollout.dynamic_sampling", keys=_dynamic, lost=_dynamic_lost),
        Row(setting="advantage.estimator", keys=_estimator, unsupported=ours.other_estimator(_ESTIMATORS)),
        to("advantage.gamma", f"{_ALGORITHM}.gamma"),
        to("advantage.lam", f"{_ALGORITHM}.lambd"),
        Row(
            setting="advantage.whiten",
            instead="gae's advantages, always whitened",
            unsupported=ours.whitens_anyway("SkyRL"),
        ),
        to("loss.clip_low", f"{_ALGORITHM}.eps_clip_low"),
        to("loss.clip_high", f"{_ALGORITHM}.eps_clip_high"),
        Row(
            setting="loss.value_clip",
            keys=lambda target: {
                f"{_ALGORITHM}.value_clip": (
                    _OFF if target.config.loss.value_clip is None else target.config.loss.value_clip
                )
            },
        ),
        Row(setting="loss.normalisation", keys=_normalisation, lost=_normalisation_lost),
        Row(setting="loss.kl_loss", keys=_kl, unsupported=ours.has_one_kl_term("SkyRL")),
        Row(setting="loss.kl_penalty", instead="the keys of loss.kl_loss"),
        Row(setting="loss.kl_estimator", instead="the keys of loss.kl_loss"),
        Row(setting="loss.importance_cap", keys=_importance),
        to("optim.policy_lr", "trainer.policy.optimizer_config.lr"),
        to("optim.critic_lr", "trainer.critic.optimizer_config.lr"),
        Row(
            setting="optim.betas",
            keys=lambda target: {
                f"trainer.{model}.optimizer_config.adam_betas": list(target.config.optim.betas) for model in _MODELS
            },
        ),
        _both("optim.weight_decay", "weight_decay"),
        _both("optim.max_grad_norm", "max_grad_norm"),
        _warmup("policy", "optim.policy_warmup_updates"),
        _warmup("critic", "optim.critic_warmup_updates"),
        Row(setting="optim.final_lr", instead="nothing", unsupported=_final_unsupported),
        _mini_batch("policy", "optim.policy_updates"),
        _mini_batch("critic", "optim.critic_updates"),
        Row(
            setting="cluster.colocate",
            keys=lambda target: {"trainer.placement.colocate_all": target.config.cluster.colocate},
            unsupported=ours.colocates_on_equal_gpus("SkyRL"),
        ),
        Row(setting="cluster.policy_ranks", keys=_placement),
        Row(setting="cluster.critic_ranks", instead="the keys of cluster.policy_ranks"),
        Row(
            setting="cluster.zero_stage",
            keys=_sharding,
            lost=lambda config: (
                "FSDP shards gradients with the optimiser, as stage 2; results are the same"
                if config.cluster.zero_stage == 1
                else ""
            ),
        ),
        Row(
            setting="cluster.offload_optimizer",
            keys=lambda target: {
                f"trainer.{model}.fsdp_config.cpu_offload": target.config.cluster.offload_optimizer for model in _MODELS
            },
            lost=lambda config: (
                "SkyRL keeps the weights in host memory with it" if config.cluster.offload_optimizer else ""
            ),
        ),
        to("cluster.pack_tokens", "trainer.max_tokens_per_microbatch"),
        to("checkpoint.every", "trainer.ckpt_interval", "trainer.hf_save_interval"),
        to("checkpoint.keep_last", "trainer.max_ckpts_to_keep"),
        Row(setting="logging.tensorboard", keys=_tracker, lost=_tracker_lost),
        Row(
            setting="logging.wandb_project",
            keys=lambda target: {"trainer.project_name": target.config.logging.wandb_project or "orz"},
        ),
        to("seed", "trainer.seed"),
        to("num_steps", "trainer.max_training_steps"),
    )
)
