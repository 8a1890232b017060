"""verl 0.9: our settings as keys of its Hydra configuration, read in verl 0.9.1's own source.

Its synchronous trainer (`trainer.v1`) is configured, in which policy, critic and engines share all GPUs.
"""

from __future__ import annotations

from typing import Any

from orz_rl.backends.external.mapping import ours
from orz_rl.backends.external.mapping.shares import nodes, num_gpus
from orz_rl.backends.external.mapping.table import Keys, Row, Target, configured, nested, to
from orz_rl.backends.external.verl.learning import ACTOR, CRITIC, LEARNING, OFF
from orz_rl.config import TrainConfig

_ROLLOUT = "actor_rollout_ref.rollout"
_ENGINES = (f"{ACTOR}.fsdp_config", f"{CRITIC}.fsdp")
_SHARED_MEMORY = 0.7
"""Most of a GPU's memory that its engine may take beside the models."""

_FIXED: Keys = {
    "trainer.use_v1": True,
    "trainer.v1.trainer_mode": "sync",
    "trainer.device": "cuda",
    "trainer.total_epochs": 2,  # the tickets of one are enough; dynamic sampling may need more
    "trainer.resume_mode": "auto",
    "trainer.val_before_train": False,
    "trainer.test_freq": -1,
    "data.shuffle": False,  # our service decides the order
    "data.filter_overlong_prompts": False,
    "data.dataloader_num_workers": 1,
    "data.val_max_samples": 1,  # verl always reads such a file; it never validates on it here
    f"{_ROLLOUT}.name": "vllm",
    f"{_ROLLOUT}.calculate_log_probs": True,
    f"{_ROLLOUT}.agent.default_agent_loop": "orz",
    f"{ACTOR}.strategy": "fsdp",
    f"{ACTOR}.use_dynamic_bsz": True,
    f"{ACTOR}.clip_ratio_c": OFF,  # its dual clip is not part of PPO
    f"{ACTOR}.shuffle": True,
    f"{ACTOR}.entropy_coeff": 0,
    "actor_rollout_ref.model.use_remove_padding": True,
    f"{CRITIC}.strategy": "fsdp",
    f"{CRITIC}.use_dynamic_bsz": True,
    f"{CRITIC}.shuffle": True,
    f"{CRITIC}.model.use_remove_padding": True,
}


def configuration(target: Target) -> dict[str, Any]:
    """The tree that goes over verl's defaults."""
    files: Keys = {
        "data.train_files": str(target.tickets),
        "data.val_files": str(target.tickets),
        "trainer.default_local_dir": str(target.checkpoints),
        "trainer.experiment_name": target.folder.parent.name,
        f"{_ROLLOUT}.agent.agent_loop_config_path": str(target.folder / "agent_loops.yaml"),
    }
    return nested(configured(TABLE, target, fixed={**_FIXED, **files}))


def _placement(target: Target) -> Keys:
    num_nodes, per_node = nodes(num_gpus(target.config))
    return {"trainer.nnodes": num_nodes, "trainer.n_gpus_per_node": per_node}


def _engines_lost(config: TrainConfig) -> str:
    gpus, parallel = num_gpus(config), config.rollout.tensor_parallel
    if gpus // parallel == config.rollout.num_engines:
        return ""
    return f"verl runs an engine on every {parallel} of its {gpus} GPUs: {gpus // parallel} engines"


def _memory(config: TrainConfig) -> float:
    share = config.rollout.gpu_memory_share
    return share if config.cluster.colocate else min(share, _SHARED_MEMORY)


def _memory_lost(config: TrainConfig) -> str:
    share, found = config.rollout.gpu_memory_share, _memory(config)
    return "" if share == found else f"{share} becomes {found}, because verl's engines share GPUs with the models"


def _colocate_lost(config: TrainConfig) -> str:
    if config.cluster.colocate:
        return ""
    return (
        f"verl's synchronous trainer has no separate devices: policy, critic and engines take turns on all "
        f"{num_gpus(config)} GPUs"
    )


def _critic_ranks_lost(config: TrainConfig) -> str:
    gpus = num_gpus(config)
    is_same = not config.has_critic or config.cluster.critic_ranks == gpus
    return "" if is_same else f"verl trains the critic on all {gpus} GPUs"


def _sharding(target: Target) -> Keys:
    """ZeRO stages as FSDP: 3 shards the weights, 2 keeps them after the forward pass, 0 replicates everything."""
    stage = target.config.cluster.zero_stage
    keys: dict[str, Any] = {}
    for engine in _ENGINES:
        keys |= {f"{engine}.reshard_after_forward": stage == 3, f"{engine}.fsdp_size": 1 if stage == 0 else -1}
    return keys


def _sharding_lost(config: TrainConfig) -> str:
    is_same = config.cluster.zero_stage != 1
    return "" if is_same else "FSDP shards gradients with the optimiser, as stage 2; results are the same"


def _offload(target: Target) -> Keys:
    """The optimiser's state if asked for; the weights too where models that had their own GPUs now share them."""
    cluster = target.config.cluster
    keys: dict[str, Any] = {}
    for engine in _ENGINES:
        keys |= {
            f"{engine}.optimizer_offload": cluster.offload_optimizer or not cluster.colocate,
            f"{engine}.param_offload": not cluster.colocate,
        }
    return keys


def _packs(target: Target) -> Keys:
    names = ("ppo_max_token_len_per_gpu", "ppo_infer_max_token_len_per_gpu")
    keys = [f"{model}.{name}" for model in (ACTOR, CRITIC) for name in names]
    return dict.fromkeys([*keys, f"{CRITIC}.forward_max_token_len_per_gpu"], target.config.cluster.pack_tokens)


def _trackers(target: Target) -> Keys:
    logging = target.config.logging
    also = [name for name, on in (("tensorboard", logging.tensorboard), ("wandb", logging.wandb_project)) if on]
    return {"trainer.logger": ["console", "file", *also]}


def _dynamic(target: Target) -> Keys:
    enabled = target.config.rollout.dynamic_sampling > 0
    return {"algorithm.filter_groups.enable": enabled, "algorithm.filter_groups.metric": "reward"}


def _dynamic_lost(config: TrainConfig) -> str:
    if not config.rollout.dynamic_sampling:
        return ""
    return "verl replaces groups until the step is full: the number of rounds has no limit"


def _head_lost(config: TrainConfig) -> str:
    if not config.has_critic:
        return ""
    return "verl's value head is that of transformers' token classifier: N(0, initializer_range), with a bias"


TABLE: tuple[Row, ...] = ours.with_ours(
    (
        Row(setting="model.policy", keys=lambda target: {"actor_rollout_ref.model.path": target.policy}),
        Row(setting="model.critic", keys=lambda target: {f"{CRITIC}.model.path": target.critic}),
        Row(
            setting="model.dtype",
            keys=lambda target: {f"{_ROLLOUT}.dtype": target.config.model.dtype},
            unsupported=ours.needs_bfloat16,
        ),
        Row(setting="model.value_head_init", instead="verl's own value head", lost=_head_lost),
        to(
            "model.gradient_checkpointing",
            "actor_rollout_ref.model.enable_gradient_checkpointing",
            f"{CRITIC}.model.enable_gradient_checkpointing",
        ),
        Row(setting="model.attention", instead="flash_attention_2", lost=ours.uses_flash),
        to("data.max_prompt_tokens", "data.max_prompt_length"),
        to("rollout.num_problems", "data.train_batch_size"),
        to("rollout.num_samples", f"{_ROLLOUT}.n"),
        to("rollout.temperature", f"{_ROLLOUT}.temperature"),
        to("rollout.top_p", f"{_ROLLOUT}.top_p"),
        to("rollout.top_k", f"{_ROLLOUT}.top_k"),
        to("rollout.max_tokens", "data.max_response_length"),
        Row(
            setting="rollout.max_model_len",
            keys=lambda target: {f"{_ROLLOUT}.max_model_len": target.config.max_sequence},
        ),
        Row(setting="rollout.num_engines", keys=_placement, lost=_engines_lost),
        to("rollout.tensor_parallel", f"{_ROLLOUT}.tensor_model_parallel_size"),
        Row(
            setting="rollout.gpu_memory_share",
            keys=lambda target: {f"{_ROLLOUT}.gpu_memory_utilization": _memory(target.config)},
            lost=_memory_lost,
        ),
        Row(setting="rollout.dynamic_sampling", keys=_dynamic, lost=_dynamic_lost),
        *LEARNING,
        Row(setting="cluster.colocate", keys=_offload, lost=_colocate_lost),
        Row(setting="cluster.policy_ranks", instead="the keys of rollout.num_engines"),
        Row(setting="cluster.critic_ranks", instead="the keys of rollout.num_engines", lost=_critic_ranks_lost),
        Row(setting="cluster.zero_stage", keys=_sharding, lost=_sharding_lost),
        Row(setting="cluster.offload_optimizer", instead="the keys of cluster.colocate"),
        Row(setting="cluster.pack_tokens", keys=_packs),
        to("checkpoint.every", "trainer.save_freq"),
        to("checkpoint.keep_last", "trainer.max_actor_ckpt_to_keep", "trainer.max_critic_ckpt_to_keep"),
        Row(setting="logging.tensorboard", keys=_trackers),
        Row(
            setting="logging.wandb_project",
            keys=lambda target: {"trainer.project_name": target.config.logging.wandb_project or "orz"},
        ),
        to(
            "seed",
            "data.seed",
            f"{_ROLLOUT}.seed",
            f"{ACTOR}.data_loader_seed",
            f"{ACTOR}.fsdp_config.seed",
            f"{CRITIC}.data_loader_seed",
            f"{CRITIC}.fsdp.seed",
        ),
        to("num_steps", "trainer.total_training_steps"),
    )
)
