"""The tables of verl, OpenRLHF and SkyRL: no setting is forgotten, and what is lost or unsupported is said.

That their programs accept the result is shown by benchmarks/other_trainers.py, which needs their packages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from orz_rl.backends.external.backend import ExternalBackend
from orz_rl.backends.external.mapping.table import Row, Target, nested
from orz_rl.backends.external.openrlhf.settings import arguments, options
from orz_rl.backends.external.skyrl.settings import keys_of
from orz_rl.backends.external.verl.settings import configuration
from orz_rl.backends.registry import BACKENDS
from orz_rl.config import TrainConfig
from orz_rl.recipes.distill import on_policy, supervised
from orz_rl.recipes.registry import RECIPES, leaves, resolve

GENERATED: Mapping[str, Callable[[Target], dict[str, Any]]] = {
    "verl": configuration,
    "openrlhf": options,
    "skyrl": keys_of,
}
REWARDED = [name for name in RECIPES if not resolve(name).is_supervised]
GPU = ("cluster.device=cuda", "model.dtype=bfloat16", "cluster.zero_stage=3")
OTHER: Mapping[str, Any] = {
    "rollouts.keep": "every:2",
    "rollouts.keep_texts": "every:2",
    "rollouts.keep_tokens": "every:2",
    "rollouts.keep_logprobs": "every:2",
    "model.policy": "other",
    "model.critic": "other",
    "model.dtype": "float32",
    "model.value_head_init": "paper",
    "model.attention": "flash_attention_2",
    "data.template": "plain",
    "data.source": ("b",),
    "data.language": "english",
    "rollout.stop": ("x",),
    "rollout.engine": "transformers",
    "rollout.max_model_len": 5000,
    "reward.control": "random",
    "reward.extractor": "boxed",
    "advantage.estimator": "grpo",
    "distill.source": "runs/x",
    "distill.teacher": "other",
    "advantage.whiten": False,
    "loss.normalisation": "sequence",
    "loss.kl_estimator": "k3",
    "loss.value_clip": None,
    "loss.importance_cap": 3.0,
    "loss.importance_band": (0.5, 5.0),
    "loss.sequence_band": (0.9, 1.1),
    "loss.clip_against": "sampler",
    "optim.betas": (0.8, 0.9),
    "optim.final_lr": 1e-7,
    "cluster.device": "cpu",
    "cluster.weight_sync": "host",
    "eval.benchmarks": ("math500",),
    "eval.by_own_protocol": ("math500",),
    "health.hook": "true",
    "health.stop": ("entropy",),
    "logging.wandb_project": "w",
    "reward.function": "package.module:name",
    "loss.objective": "another",
    "data.limit": 5000,
    "eval.limit": 3,
    "optim.policy_updates": 2,
    "rollout.num_engines": 16,
    "rollout.window": 8,
    "rollout.replay": "runs/x",
    "reward.truncated": "mask",
    "rollout.tensor_parallel": 2,
    "cluster.policy_ranks": 16,
    "cluster.critic_ranks": 16,
    "advantage.gamma": 0.99,
    "advantage.lam": 0.95,
    "cluster.zero_stage": 2,
}
"""Another value for settings where adding to the old one does not make one."""


def of(name: str) -> ExternalBackend:
    backend = BACKENDS.load(name)
    assert isinstance(backend, ExternalBackend)
    return backend


def target(config: TrainConfig) -> Target:
    critic = config.model.critic or config.model.policy
    return Target(config=config, policy=config.model.policy, critic=critic, folder=Path("/runs/x/tool"))


def changed(config: TrainConfig, setting: str) -> TrainConfig:
    """With another value of one setting; unchecked."""
    section, _, name = setting.rpartition(".")
    at = getattr(config, section) if section else config
    old = getattr(at, name)
    new = OTHER.get(setting, (not old) if isinstance(old, bool) else None)
    if setting not in OTHER and not isinstance(old, bool):
        new = old + 1 if isinstance(old, int) else old * 0.5 if old else 0.001
    assert new != old, setting
    inner = at.model_copy(update={name: new})
    return config.model_copy(update={section: inner}) if section else inner


@pytest.mark.parametrize("name", GENERATED)
def test_every_setting_is_mapped_or_says_what_happens_to_it(name: str) -> None:
    table = of(name).table
    assert sorted(row.setting for row in table) == sorted(setting for setting, _ in leaves())
    assert [row.setting for row in table if not row.is_decided] == []


@pytest.mark.parametrize("name", GENERATED)
def test_a_changed_setting_changes_the_configuration_or_is_reported_or_is_ours(name: str) -> None:
    """A setting with keys that changes neither them nor the findings would be lost in silence."""
    base = resolve("orz_7b", overrides=["rollout.num_engines=32"])
    generate, backend = GENERATED[name], of(name)
    before, said = generate(target(base)), backend.check(base)
    silent = []
    for row in backend.table:
        config = changed(base, row.setting)
        if row.setting == "advantage.estimator":
            config = config.model_copy(update={"optim": base.optim})
        if generate(target(config)) == before and backend.check(config) == said and not row.instead:
            silent.append(row.setting)
    assert silent == []


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("overrides", [supervised("runs/x"), on_policy("other")])
def test_distillation_is_refused_and_still_has_a_plan(name: str, overrides: Sequence[str]) -> None:
    config = resolve("orz_7b", overrides=overrides)
    assert BACKENDS.load(name).plan(config)
    refused = {finding.setting for finding in of(name).check(config) if finding.is_error}
    assert {"advantage.estimator", "distill.source" if config.is_supervised else "distill.teacher"} <= refused


@pytest.mark.parametrize("name", GENERATED)
@pytest.mark.parametrize("recipe", REWARDED)
def test_every_recipe_has_a_configuration(name: str, recipe: str) -> None:
    backend = of(name)
    for overrides in ((), ("advantage.estimator=grpo", "model.critic=null")):
        config = resolve(recipe, overrides=[*GPU, *overrides])
        assert GENERATED[name](target(config))
        errors = {finding.setting for finding in backend.check(config) if finding.is_error}
        wanted = {"optim.critic_updates"} if name == "openrlhf" and config.has_critic else set()
        assert errors == wanted | ({"optim.final_lr"} if (name, recipe) == ("skyrl", "orz_32b_anneal") else set())


def test_a_recipe_for_a_cpu_is_refused_with_every_reason() -> None:
    for name in GENERATED:
        errors = {finding.setting for finding in of(name).check(resolve("tiny")) if finding.is_error}
        assert errors >= {"model.dtype", "cluster.device"}


def test_what_verl_makes_of_the_published_7b_setting() -> None:
    tree = configuration(target(resolve("orz_7b")))
    actor, critic, trainer = tree["actor_rollout_ref"]["actor"], tree["critic"], tree["trainer"]
    assert (trainer["nnodes"], trainer["n_gpus_per_node"], trainer["total_training_steps"]) == (4, 8, 8900)
    assert (tree["data"]["train_batch_size"], tree["actor_rollout_ref"]["rollout"]["n"]) == (128, 64)
    assert (actor["ppo_mini_batch_size"], critic["ppo_mini_batch_size"]) == (128, 8)  # 12 does not divide 128: 16 steps
    assert (actor["optim"]["lr_warmup_steps"], critic["optim"]["lr_warmup_steps"]) == (50, 3)  # 50 / 16 generations
    assert actor["optim"]["min_lr_ratio"] == 1.0  # constant after the warm-up
    assert (actor["clip_ratio_low"], actor["clip_ratio_high"], critic["cliprange_value"]) == (0.2, 0.2, 0.2)
    assert tree["algorithm"]["adv_estimator"] == "gae"
    said = {finding.setting: finding.text for finding in of("verl").check(resolve("orz_7b"))}
    assert said["optim.critic_updates"].startswith("12 optimizer steps a generation become 16 of 8 prompts each")
    assert "become 3 generations of 16" in said["optim.critic_warmup_updates"]


def test_what_verl_makes_of_separate_devices() -> None:
    """128 GPUs become one pool; without a critic as many of the 96 as the rollouts divide over."""
    assert configuration(target(resolve("orz_32b")))["trainer"]["nnodes"] == 16
    assert configuration(target(resolve("orz_32b", variants=["grpo"])))["trainer"]["nnodes"] == 8


def test_what_openrlhf_makes_of_the_published_7b_setting() -> None:
    config = resolve("orz_7b", overrides=["optim.critic_updates=1"])
    assert not [finding for finding in of("openrlhf").check(config) if finding.is_error]
    line = list(arguments(options(target(config))))
    assert "--train.colocate_all" in line
    assert line[line.index("--actor.eps_clip_low_high") + 1 :][:2] == ["0.2", "0.2"]
    assert line[line.index("--train.batch_size") + 1] == "8192"
    assert "--algo.kl.use_loss" not in line
    ratio = float(line[line.index("--actor.lr_warmup_ratio") + 1])
    assert -(-8900 * ratio // 1) == 50  # it rounds up


def test_what_skyrl_makes_of_the_published_7b_setting() -> None:
    keys = keys_of(target(resolve("orz_7b")))
    assert keys["trainer.critic_mini_batch_size"] == 8
    assert keys["trainer.critic.optimizer_config.num_warmup_steps"] == 50  # in optimizer steps, as ours
    assert keys["trainer.algorithm.loss_reduction"] == "token_mean"
    assert keys["trainer.max_tokens_per_microbatch"] == 16_384


def test_a_loss_without_clipping_of_values_has_a_bound_that_nothing_reaches() -> None:
    config = resolve("orz_7b", overrides=["loss.value_clip=null"])
    assert configuration(target(config))["critic"]["cliprange_value"] >= 1e6
    assert options(target(config))["critic.value_clip"] >= 1e6
    assert keys_of(target(config))["trainer.algorithm.value_clip"] >= 1e6


def test_nested_keys() -> None:
    assert nested({"a.b": 1, "a.c.d": 2, "e": 3}) == {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
    assert not Row(setting="seed").is_decided
