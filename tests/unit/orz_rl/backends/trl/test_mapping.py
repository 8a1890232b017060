"""The configuration in TRL's terms: what is refused, what is lost, and that nothing is left to a default of TRL."""

from __future__ import annotations

import dataclasses
import inspect
import math
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from orz_bench.installed.extras import how_to_install
from orz_rl.backends.backend import errors_of
from orz_rl.backends.trl.backend import BACKEND
from orz_rl.backends.trl.mapping import ESTIMATORS, Batches, arguments, reward_scale
from orz_rl.config import TrainConfig
from orz_rl.recipes.distill import on_policy, supervised
from orz_rl.recipes.registry import RECIPES, leaves, resolve

GRPO = "advantage.estimator=grpo"
RLOO = "advantage.estimator=rloo"
REFUSED = {
    "advantage.estimator": (),  # the recipe's gae
    "rollout.dynamic_sampling": (GRPO, "rollout.dynamic_sampling=2"),
    "rollout.replay": (GRPO, "rollout.replay=runs/x", "eval.benchmarks="),
    "reward.truncated": (GRPO, "reward.truncated=mask"),
    "rollout.num_engines": (GRPO, "rollout.num_engines=2"),
    "rollout.tensor_parallel": (GRPO, "rollout.tensor_parallel=2", "cluster.colocate=false"),
    "cluster.policy_ranks": (GRPO, "cluster.policy_ranks=2"),
    "cluster.colocate": (GRPO, "cluster.device=cuda", "cluster.colocate=false"),
    "model.head_float32": (GRPO, "model.head_float32=true"),
    "cluster.offload_optimizer": (GRPO, "cluster.zero_stage=1", "cluster.offload_optimizer=true"),
    "loss.importance_cap": (GRPO, "loss.importance_cap=2"),
    "loss.importance_band": (GRPO, "loss.importance_band=[0.5, 5]"),
    "loss.sequence_band": (GRPO, "loss.sequence_band=[0.9, 1.1]"),
    "loss.clip_against": (GRPO, "loss.clip_against=sampler"),
    "rollout.max_staleness": (GRPO, "rollout.max_staleness=1", "cluster.colocate=false"),
    "loss.kl_penalty": (GRPO, "loss.kl_penalty=0.1"),
    "loss.positive_nll": (GRPO, "loss.positive_nll=0.1"),
    "loss.kl_estimator": (GRPO, "loss.kl_loss=0.1"),
    "loss.kl_loss": (RLOO, "loss.kl_loss=0.1", "loss.kl_estimator=k3"),
    "loss.normalisation": (RLOO, "loss.normalisation=sequence"),
    "optim.policy_updates": (GRPO, "optim.policy_updates=3"),
}
LOST = {
    "advantage.estimator": (GRPO,),
    "optim.policy_updates": (RLOO, "optim.policy_updates=2"),
    "loss.normalisation": (GRPO, "optim.policy_updates=2"),
    "loss.clip_low": (RLOO, "optim.policy_updates=2"),
    "model.dtype": (GRPO, "model.dtype=bfloat16", "cluster.zero_stage=1"),
    "cluster.device": (GRPO, "cluster.device=cuda"),
    "cluster.pack_tokens": (GRPO,),
}
OURS = {
    "distill": "refused by advantage.estimator",
    "data": "prompts, order and their check",
    "reward": "the grader and the rewards",
    "eval": "the evaluation",
    "checkpoint": "what is kept",
    "rollouts": "what is kept of old rollouts",
    "health": "the signs",
    "logging": "the trackers",
}
"""Sections that are read by the code that the native backend has too."""
WITHOUT_CRITIC = {
    "model.critic", "model.value_head_init", "advantage.gamma", "advantage.lam", "advantage.whiten", "loss.value_clip",
    "optim.critic_lr", "optim.critic_warmup_updates", "optim.critic_updates", "cluster.critic_ranks",
    "advantage.lam_policy", "advantage.lam_value", "advantage.lam_alpha", "critic.warmup_steps", "critic.from",
}  # fmt: skip
BY_OUR_ENGINE = {
    "rollout.max_model_len",
    "rollout.stop",
    "rollout.engine",
    "rollout.gpu_memory_share",
    "rollout.batch_size",
}
ONE_PROCESS = {
    "cluster.in_process": "it always is",
    "cluster.share_prompts": "nothing is packed",
    "cluster.spread": "there is one bundle",
    "rollout.partial": "nothing is carried over updates; refused with rollout.max_staleness, which it needs",
    "rollout.window": "nothing is carried over updates",
    "cluster.colocate_models": "there is one model",
    "cluster.zero_stage": "nothing to shard over",
    "cluster.weight_sync": "copied through memory; named where it is slower, on a GPU",
}
BY_OUR_OBJECTS = {
    "model.policy", "model.attention", "optim.policy_warmup_updates", "optim.final_lr", "rollout.num_problems",
}  # fmt: skip
"""The model, the schedule and the data set, which are handed to the trainer."""


def findings(*overrides: str, recipe: str = "tiny") -> tuple[set[str], set[str]]:
    """(settings that are refused, settings that lose something)."""
    found = BACKEND.check(resolve(recipe, overrides=overrides))
    refused = {finding.setting for finding in errors_of(found)}
    return refused, {finding.setting for finding in found if not finding.is_error}


@pytest.mark.parametrize("setting", REFUSED)
def test_what_cannot_be_expressed_is_refused(setting: str) -> None:
    refused, _ = findings(*REFUSED[setting])
    assert refused == {setting}


def test_objectives_of_other_packages_are_refused() -> None:
    base = resolve("tiny", overrides=[GRPO])
    config = base.model_copy(update={"loss": base.loss.model_copy(update={"objective": "another"})})
    assert {finding.setting for finding in BACKEND.check(config) if finding.is_error} == {"loss.objective"}


@pytest.mark.parametrize("overrides", [supervised("runs/x"), on_policy("other")])
def test_distillation_is_refused(overrides: tuple[str, ...]) -> None:
    refused, _ = findings(*overrides)
    assert "advantage.estimator" in refused
    assert BACKEND.plan(resolve("tiny", overrides=overrides))


@pytest.mark.parametrize("setting", LOST)
def test_what_is_lost_is_said(setting: str) -> None:
    refused, lost = findings(*LOST[setting])
    assert not refused
    assert setting in lost


def test_the_least_that_is_lost() -> None:
    assert findings("advantage.estimator=dr_grpo") == (set(), {"cluster.pack_tokens"})
    assert findings(RLOO) == (set(), {"cluster.pack_tokens"})


@pytest.mark.parametrize("recipe", [name for name in RECIPES if not resolve(name).is_supervised])
def test_every_recipe_has_findings_and_a_plan(recipe: str) -> None:
    """PPO recipes at least name the critic; with dr_grpo only what one process cannot do is left."""
    refused, _ = findings(recipe=recipe)
    assert ("advantage.estimator" in refused) == (resolve(recipe).has_critic)
    refused, _ = findings("advantage.estimator=dr_grpo", "model.critic=null", recipe=recipe)
    assert refused <= {
        "cluster.policy_ranks", "cluster.colocate", "cluster.offload_optimizer", "rollout.num_engines",
        "rollout.tensor_parallel", "rollout.dynamic_sampling",
    }  # fmt: skip
    assert all(finding.text for finding in BACKEND.check(resolve(recipe)))
    assert BACKEND.plan(resolve(recipe))["trainer"] == "GRPOTrainer"


def test_every_setting_is_mapped_or_named() -> None:
    """A new setting has to be put somewhere: into TRL's arguments, a finding, or the code that both backends share."""
    changed = {
        "model.gradient_checkpointing": "true",
        "model.dtype": "bfloat16",
        "rollout.num_samples": "4",
        "rollout.temperature": "0.7",
        "rollout.top_p": "0.9",
        "rollout.top_k": "5",
        "rollout.max_tokens": "100",
        "loss.clip_low": "0.1",
        "loss.clip_high": "0.3",
        "loss.normalisation": "constant",
        "loss.kl_loss": "0.1",
        "optim.policy_lr": "1e-5",
        "optim.betas": "[0.8, 0.9]",
        "optim.weight_decay": "0.1",
        "optim.max_grad_norm": "2",
        "optim.policy_updates": "2",
        "cluster.device": "cuda",
        "cluster.pack_tokens": "1000",
        "advantage.estimator": "dr_grpo",
        "seed": "3",
        "num_steps": "5",
    }
    base = arguments(resolve("tiny", overrides=[GRPO]), output_dir="run")
    for key, value in changed.items():
        extra = ["cluster.zero_stage=1"] if key == "model.dtype" else []
        extra += ["loss.kl_estimator=k3"] if key == "loss.kl_loss" else []
        overrides = [GRPO, f"{key}={value}", *extra][key == "advantage.estimator" :]
        assert arguments(resolve("tiny", overrides=overrides), output_dir="run") != base, key
    known = {*changed, *REFUSED, *WITHOUT_CRITIC, *BY_OUR_ENGINE, *ONE_PROCESS, *BY_OUR_OBJECTS, "loss.objective"}
    assert [key for key, _ in leaves() if key not in known and key.partition(".")[0] not in OURS] == []


SUPPORTED = [
    pytest.param(estimator, normalisation, id=f"{estimator} {normalisation}")
    for estimator, normalisation in product(ESTIMATORS, ("token", "sequence", "constant"))
    if (estimator, normalisation) != ("rloo", "sequence")
]
UNREAD = {
    "model_init_kwargs": "the model is loaded by us",
    "num_generations_eval": "TRL evaluates nothing",
    "generation_batch_size": "steps_per_generation is set",
    "generation_kwargs": "TRL generates nothing",
    "chat_template_kwargs": "there is no chat template",
    "cache_implementation": "TRL generates nothing",
    "ds3_gather_for_generation": "there is no DeepSpeed",
    "transformers_continuous_batching_config": "TRL generates nothing",
    "use_transformers_paged": "TRL generates nothing",
    "ref_model_mixup_alpha": "sync_ref_model is off",
    "ref_model_sync_steps": "sync_ref_model is off",
    "max_tool_calling_iterations": "there are no tools",
    "entropy_target": "use_adaptive_entropy is off",
    "sapo_temperature_neg": "another loss_type",
    "sapo_temperature_pos": "another loss_type",
    "use_liger_kernel": "off by default, and deprecated",
    "liger_kernel_config": "as above",
    "lr_scheduler_kwargs": "the schedule is our own object",
    "torch_empty_cache_steps": "moves no number",
}
UNREAD_PREFIXES = ("vllm_", "log_", "entropy_coef_", "vespo_", "num_completions_to_print")


@pytest.mark.parametrize(("estimator", "normalisation"), SUPPORTED)
def test_trl_takes_the_arguments(estimator: str, normalisation: str, tmp_path: Path) -> None:
    overrides = [f"advantage.estimator={estimator}", f"loss.normalisation={normalisation}", "optim.policy_updates=4"]
    config = resolve("tiny", overrides=overrides)
    kind = config_class(config)
    given = arguments(config, output_dir=str(tmp_path))
    made = kind(**given)
    assert {name: getattr(made, name) for name in given} == given
    assert made.generation_batch_size == config.num_rollouts
    # Optimizer steps of a generation, by TRL's own arithmetic.
    assert made.steps_per_generation / made.gradient_accumulation_steps == config.optim.policy_updates


@pytest.mark.parametrize("estimator", ["grpo", "rloo"])
def test_no_argument_is_left_to_a_default_of_trl(estimator: str, tmp_path: Path) -> None:
    """Every field that TRL declares or changes is set, or said to have no effect: a new one in a new version fails."""
    config = resolve("tiny", overrides=[f"advantage.estimator={estimator}"])
    kind = config_class(config)
    given = arguments(config, output_dir=str(tmp_path))
    own = {
        name for base in kind.__mro__ if base.__module__.startswith("trl.") for name in inspect.get_annotations(base)
    }
    own &= {field.name for field in dataclasses.fields(kind)}
    left = {name for name in own - given.keys() if not name.startswith(UNREAD_PREFIXES)}
    assert left <= UNREAD.keys(), sorted(left - UNREAD.keys())


def config_class(config: TrainConfig) -> Any:
    from orz_rl.backends.trl.run import import_trainers

    trainers = import_trainers()
    return trainers.RLOOConfig if config.advantage.estimator == "rloo" else trainers.GRPOConfig


def test_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert BACKEND.available().is_available
    monkeypatch.setitem(sys.modules, "trl", None)  # as if it were not installed
    here = BACKEND.available()
    assert here.version is None
    assert here.missing == f"trl; run: {how_to_install('trl')}"


@pytest.mark.parametrize("updates", [1, 2, 4])
@pytest.mark.parametrize("pack_tokens", [160, 1000, 2048, 100_000])
def test_passes_fit_and_make_up_the_step(updates: int, pack_tokens: int) -> None:
    overrides = [GRPO, f"optim.policy_updates={updates}", f"cluster.pack_tokens={pack_tokens}"]
    config = resolve("tiny", overrides=overrides)
    batches = Batches.of(config)
    assert batches.micro * batches.per_update * updates == batches.micro * batches.per_step == config.num_rollouts
    assert batches.micro * config.max_sequence <= pack_tokens
    larger = [n for n in range(batches.micro + 1, config.num_rollouts) if (config.num_rollouts // updates) % n == 0]
    assert all(n * config.max_sequence > pack_tokens for n in larger)


def test_rewards_are_scaled_for_rloo_only() -> None:
    assert reward_scale(resolve("tiny", overrides=[GRPO]), num_tokens=100) == 1
    constant = resolve("tiny", overrides=[RLOO, "loss.normalisation=constant"])
    assert math.isclose(reward_scale(constant, num_tokens=100), 1 / constant.rollout.max_tokens)
    token = resolve("tiny", overrides=[RLOO])
    assert math.isclose(reward_scale(token, num_tokens=512), token.num_rollouts / 512)
