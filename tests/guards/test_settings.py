"""No setting takes a value that cannot work: each is fed what is no number, endless, negative, nothing and huge."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

import pytest

from orz_bench.asking.changes import ProtocolChanges
from orz_bench.asking.protocol import customise, get_protocol
from orz_bench.engines.engine import EngineSpec, Sampling
from orz_bench.engines.settings import ServerSettings, TransformersSettings, VllmSettings
from orz_bench.errors import ConfigError
from orz_rl.recipes.registry import leaves, resolve

ODD = (".nan", ".inf", "-1", "0", "1e30", "")
OFF = "switches it off"
LEARNS_ANSWERS = "advantage.estimator=imitation loss.objective=log_likelihood distill.source=x"
NAMES = "a text like any other; whether there is such a file or benchmark is checked before anything starts"
MEANINGFUL = {
    ("model.critic", ""): "null: the critic starts from the policy",
    ("data.limit", ""): "null: all problems",
    ("rollout.top_k", "-1"): OFF,
    ("rollout.max_model_len", ""): "null: what prompt and response need",
    ("rollout.stop", ""): "no stop string",
    ("rollout.dynamic_sampling", "0"): OFF,
    ("reward.overlong_buffer", "0"): OFF,
    ("advantage.gamma", "0"): "only the reward of the very token counts",
    ("advantage.lam", "0"): "one-step advantages",
    ("advantage.lam_policy", ""): "null: advantage.lam",
    ("advantage.lam_policy", "0"): "one-step advantages of the policy",
    ("advantage.lam_value", ""): "null: advantage.lam",
    ("advantage.lam_value", "0"): "the critic learns one-step targets",
    ("advantage.lam_alpha", ""): OFF,
    ("loss.positive_nll", "0"): OFF,
    ("critic.warmup_steps", "0"): OFF,
    ("critic.from", ""): OFF,
    ("loss.clip_low", "0"): "the ratio is never counted below 1",
    ("loss.value_clip", ""): OFF,
    ("loss.kl_loss", "0"): OFF,
    ("loss.kl_penalty", "0"): OFF,
    ("loss.importance_cap", ""): OFF,
    ("loss.importance_band", ""): OFF,
    ("loss.sequence_band", ""): OFF,
    ("rollout.max_staleness", "0"): "strictly on-policy",
    ("rollout.window", ""): "null: as many as the limit of age allows",
    ("rollout.replay", ""): OFF,
    ("distill.source", ""): OFF,
    ("distill.teacher", ""): OFF,
    ("distill.teacher_tokens", "0"): "the sampled token alone",
    ("optim.policy_lr", "1e30"): "no rate is too high to be tried: the first update that is not finite is stopped",
    ("optim.critic_lr", "1e30"): "likewise",
    ("optim.final_lr", "1e30"): "likewise",
    ("optim.final_lr", ""): OFF,
    ("optim.weight_decay", "0"): OFF,
    ("optim.policy_warmup_updates", "0"): OFF,
    ("optim.critic_warmup_updates", "0"): OFF,
    ("cluster.zero_stage", "0"): "nothing is sharded",
    ("eval.benchmarks", ""): OFF,
    ("eval.by_own_protocol", ""): OFF,
    ("eval.limit", ""): "null: all questions",
    ("checkpoint.keep_best", "0"): OFF,
    ("rollouts.keep_texts", ""): "null: as rollouts.keep",
    ("rollouts.keep_tokens", ""): "null: as rollouts.keep",
    ("rollouts.keep_logprobs", ""): "null: as rollouts.keep",
    ("health.hook", ""): OFF,
    ("health.stop", ""): OFF,
    ("logging.wandb_project", ""): OFF,
    ("seed", "0"): "a seed like any other",
}
"""What is taken, and what it means."""


def is_switch(name: str) -> bool:
    return dict(leaves())[name].annotation is bool


@pytest.mark.parametrize("name", [name for name, _ in leaves()])
def test_every_setting_of_training_has_bounds(name: str) -> None:
    for value in ODD:
        is_text = name in ("data.source", "eval.benchmarks", "rollout.stop") and value
        if (name, value) in MEANINGFUL or is_text or (is_switch(name) and value == "0"):
            resolve("tiny", overrides=[f"{name}={value}"])
            continue
        with pytest.raises(ConfigError) as caught:
            resolve("tiny", overrides=[f"{name}={value}"])
        assert name in str(caught.value), f"{name}={value}: {caught.value}"


@pytest.mark.parametrize(
    ("override", "named"),
    [
        ("rollout.temperature=1e-9", "rollout.temperature"),
        ("rollout.top_k=-5", "rollout.top_k"),
        ("optim.betas=[1.0, 0.95]", "optim.betas"),
        ("optim.betas=[0.9, .nan]", "optim.betas"),
        ("seed=123456789012345678901234", "seed"),
        ("rollout.max_model_len=30", "rollout.max_model_len"),
        ("data.limit=31", "data.limit"),
        ("loss.importance_cap=2 rollout.top_k=5", "rollout.top_k"),
        ("loss.importance_cap=2 rollout.top_p=0.9", "rollout.top_p"),
        ("optim.final_lr=1e-5 optim.policy_warmup_updates=40", "optim.policy_warmup_updates"),
        ("rollout.dynamic_sampling=2 rollout.num_samples=1", "rollout.dynamic_sampling"),
        ("advantage.estimator=grpo advantage.lam=0.9", "advantage.lam"),
        ("advantage.estimator=rloo model.critic=tiny", "model.critic"),
        ("loss.kl_estimator=k2", "loss.kl_estimator"),
        ("loss.kl_loss=0.1 loss.kl_estimator=k1", "loss.kl_estimator"),
        ("loss.kl_penalty=0.1 loss.kl_estimator=k3", "loss.kl_estimator"),
        ("loss.kl_penalty=0.1 loss.kl_estimator=k2", "loss.kl_estimator"),
        ("cluster.offload_optimizer=true", "cluster.offload_optimizer"),
        ('rollout.stop=["", a]', "rollout.stop"),
        ("rollout.max_staleness=1", "cluster.colocate=false"),
        ("rollout.max_staleness=1 cluster.colocate=false cluster.in_process=true", "cluster.in_process=false"),
        ("rollout.max_staleness=40 cluster.colocate=false", "num_steps is 40"),
        ("rollout.partial=true", "rollout.max_staleness is 0"),
        ("rollout.partial=true rollout.max_staleness=1 rollout.window=33", "rollout.window is 33"),
        ("rollout.partial=true rollout.max_staleness=1 rollout.dynamic_sampling=1", "rollout.dynamic_sampling"),
        ("rollout.window=4", "rollout.partial=true"),
        ("rollout.max_staleness=1 cluster.colocate=false loss.clip_against=policy", "loss.importance_cap"),
        ("rollout.max_staleness=1 cluster.colocate=false rollout.top_p=0.9", "rollout.top_p"),
        ("loss.clip_against=sampler loss.importance_cap=2", "loss.clip_against=policy"),
        ("loss.clip_against=sampler rollout.top_k=5", "rollout.top_k"),
        ("cluster.colocate_models=true", "cluster.colocate=false"),
        ("loss.importance_band=[1.5, 2]", "loss.importance_band"),
        ("loss.sequence_band=[2, 0.5]", "loss.sequence_band"),
        ("distill.source=x", "advantage.estimator=gae does not learn from it"),
        ("distill.source=x advantage.estimator=imitation", "loss.objective is ppo"),
        ("distill.source=x distill.teacher=y", "both set"),
        ("distill.teacher=x", "advantage.estimator=gae does not learn from it"),
        ("advantage.estimator=imitation", "distill.source is not set"),
        ("advantage.estimator=reverse_kl", "distill.teacher is not set"),
        ("loss.objective=log_likelihood", "distill.source"),
        ("distill.teacher=x advantage.estimator=reverse_kl loss.kl_loss=1", "loss.kl_loss"),
        ("distill.teacher=x advantage.estimator=reverse_kl loss.kl_estimator=k3", "loss.kl_estimator"),
        ("distill.teacher=x advantage.estimator=reverse_kl rollout.dynamic_sampling=1", "rollout.dynamic_sampling"),
        ("distill.batch=100", "distill.source is not set"),
        (f"{LEARNS_ANSWERS}:limit=10", "distill.batch"),
        (f"{LEARNS_ANSWERS}:critic=ab", "prefer=random reads no values"),
        (f"{LEARNS_ANSWERS}:limit=0", "limit is '0'"),
        (f"{LEARNS_ANSWERS}:limit=99:limit=99", "limit is given twice"),
        (f"{LEARNS_ANSWERS}:perfer=value", "did you mean 'prefer'"),
        (f"loss.importance_cap=2 {LEARNS_ANSWERS}", "loss.importance_cap is about samples"),
        (f"optim.policy_updates=65 {LEARNS_ANSWERS}", "optim.policy_updates is 65, but a step has 64 rollouts"),
    ],
)
def test_what_cannot_work_or_does_nothing_is_refused(override: str, named: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("tiny", overrides=override.split() if "[" not in override else [override])
    assert named in str(caught.value)


def test_contradictions_are_told_beside_values_that_are_out_of_bounds() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve("tiny", overrides=["optim.policy_lr=.nan", "data.limit=3", "optim.betas=[2, 2]", "rollout.top_k=0"])
    assert all(name in str(caught.value) for name in ("5 settings", "policy_lr", "data.limit", "betas.1", "top_k"))


NUMBERS = (math.nan, math.inf, -math.inf, -1, -5, 0, 1e30, 1e-9)
PROTOCOL_NUMBERS = (
    "n", "temperature", "top_p", "top_k", "max_tokens",
    "min_p", "presence_penalty", "frequency_penalty", "repetition_penalty", "waits", "thought_tokens",
)  # fmt: skip
PROTOCOL_MEANINGFUL = {
    ("temperature", 0): "greedy",
    ("top_k", -1): OFF,
    ("top_p", 1e-9): "the most likely token alone",
    ("min_p", 0): OFF,
    ("waits", 0): OFF,
    ("min_p", 1e-9): "all but the least likely",
    **{(f"{kind}_penalty", value): "weak or off" for kind in ("presence", "frequency") for value in (-1, 0, 1e-9)},
}


@pytest.mark.parametrize("name", PROTOCOL_NUMBERS)
def test_every_number_of_a_protocol_has_bounds(name: str) -> None:
    assert {field.name for field in fields(Sampling)} == set(PROTOCOL_NUMBERS) - {"n", "waits", "thought_tokens"} | {
        "stop"
    }
    for value in NUMBERS:
        changes: dict[str, Any] = {"n": 1, name: value}
        if (name, value) in PROTOCOL_MEANINGFUL:
            customise(get_protocol("orz"), ProtocolChanges(**changes))
            continue
        with pytest.raises(ConfigError, match=rf"^{name} is|; {name} is"):
            customise(get_protocol("orz"), ProtocolChanges(**changes))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("max_model_len", partial(EngineSpec, name="fake", checkpoint="fake")),
        ("num_engines", partial(EngineSpec, name="fake", checkpoint="fake")),
        ("tensor_parallel", VllmSettings),
        ("gpu_memory_share", VllmSettings),
        ("concurrency", ServerSettings),
        ("batch_size", TransformersSettings),
    ],
)
def test_every_number_of_an_engine_has_bounds(name: str, kind: Callable[..., object]) -> None:
    for value in NUMBERS:
        if (name, value) == ("gpu_memory_share", 1e-9):
            continue  # vllm says what it lacks
        settings: dict[str, Any] = {name: value}
        with pytest.raises(ConfigError, match=f"{name} is"):
            kind(**settings)
