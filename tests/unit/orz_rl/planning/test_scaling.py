"""A recipe on other numbers of GPUs: nothing is lost without a reason, and too few are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orz_bench.errors import ConfigError
from orz_rl.planning.plan import Hardware, make_plan, num_devices
from orz_rl.planning.scaling import CRITIC, ENGINES, POLICY, scaled
from orz_rl.recipes.registry import RECIPES, resolve
from tests.support.training import orz_rl

GPU_RECIPES = [name for name in RECIPES if resolve(name).cluster.device == "cuda"]


@pytest.mark.parametrize("recipe", GPU_RECIPES)
def test_its_own_number_of_gpus_leaves_a_recipe_as_it_is(recipe: str) -> None:
    config = resolve(recipe)
    size = scaled(config, num_devices(config))
    assert resolve(recipe, overrides=size.settings) == config
    assert (size.idle, size.why_idle, size.partly_idle) == (0, "", ())


@pytest.mark.parametrize("recipe", GPU_RECIPES)
@pytest.mark.parametrize("colocate", ["true", "false"])
def test_every_number_of_gpus_is_used_or_the_rest_has_a_reason(recipe: str, colocate: str) -> None:
    parallel = 1 if colocate == "true" else resolve(recipe).rollout.tensor_parallel
    given = [f"cluster.colocate={colocate}", f"rollout.tensor_parallel={parallel}"]
    config = resolve(recipe, overrides=given)
    least = 1 if config.cluster.colocate else 1 + config.has_critic + parallel
    for gpus in (*range(least, least + 5), 33, 100, 127, 700, 10_000):
        size = scaled(config, gpus)
        changed = resolve(recipe, overrides=[*given, *size.settings])  # also: nothing contradicts
        assert num_devices(changed) == size.used <= gpus
        assert bool(size.why_idle) == bool(size.idle)
        assert size.idle == 0 or gpus > config.num_rollouts // config.optim.critic_updates
    if least > 1:
        with pytest.raises(ConfigError, match=f"at least {least} GPU"):
            scaled(config, least - 1)


def test_a_split_keeps_its_proportions() -> None:
    for gpus in (64, 256):
        counts = scaled(resolve("orz_32b"), gpus).counts
        assert counts == {POLICY: gpus // 4, CRITIC: gpus // 4, ENGINES: gpus // 8}


def test_more_gpus_never_make_a_planned_step_longer() -> None:
    for recipe in ("orz_7b", "orz_32b"):
        seconds = []
        for gpus in (32, 64, 96, 128, 256):
            config = resolve(recipe, overrides=scaled(resolve(recipe), gpus).settings)
            seconds.append(sum(make_plan(config, Hardware(), mean_tokens=2000).seconds.values()))
        assert seconds == sorted(seconds, reverse=True)


def test_what_was_given_stays() -> None:
    size = scaled(resolve("orz_7b"), 64, fixed={POLICY: 16})
    assert size.counts == {POLICY: 16, CRITIC: 64, ENGINES: 16}  # engines read weights from the rank on their GPU
    assert size.partly_idle == (f"48 GPUs without one of {POLICY}=16", f"48 GPUs without one of {ENGINES}=16")
    size = scaled(resolve("orz_32b"), 128, fixed={POLICY: 8, CRITIC: 8, ENGINES: 2})
    assert (size.used, size.idle) == (24, 104)
    assert f"{POLICY}=8 was given" in size.why_idle
    with pytest.raises(ConfigError, match=f"leave out {CRITIC}=16"):
        scaled(resolve("orz_7b"), 4, fixed={CRITIC: 16})


def test_gpus_that_nothing_can_use_are_named() -> None:
    size = scaled(resolve("orz_7b_grpo", overrides=["rollout.num_problems=1"]), 128)
    assert (size.used, size.idle) == (64, 64)
    assert "number of rollouts of a step" in size.why_idle
    grows = scaled(resolve("orz_7b"), 1000)
    assert (grows.used, grows.counts[CRITIC]) == (1000, 682)
    cpu = scaled(resolve("tiny"), 4)
    assert (cpu.used, cpu.why_idle) == (0, "cluster.device=cpu uses no GPU")
    engines = scaled(resolve("orz_32b"), 9, fixed={POLICY: 2, CRITIC: 2})
    assert (engines.idle, "tensor_parallel=4" in engines.why_idle) == (1, True)


def planned(*arguments: str, expect: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(orz_rl("plan", "--json", "--recipe", *arguments, expect=expect).stdout)
    return found


def test_the_command_plans_the_gpus_that_there_are_and_the_whole_run() -> None:
    plan = planned("orz_7b", "--gpus", "64", "--gpu-hour-price", "2")
    assert plan["devices"] == 64
    assert plan["gpus"] == {
        "available": 64,
        "used": 64,
        "idle": 0,
        "why_idle": "",
        "partly_idle": [],
        "settings": {POLICY: 64, CRITIC: 64, ENGINES: 64},
    }
    total = plan["total"]
    assert total["gpu_hours"] == pytest.approx(total["days"] * 24 * 64)
    assert total["cost"] == pytest.approx(2 * total["gpu_hours"])
    assert total["response_tokens"] == 8900 * 128 * 64 * 2000
    assert total["tokens"] == 8900 * 128 * 64 * 2256
    assert plan["all steps, GPU-hours, at least"] == f"{total['gpu_hours']:,.0f}"
    assert total["days"] < 0.6 * planned("orz_7b")["total"]["days"]
    assert planned("orz_7b")["gpus"] is None


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("orz_32b", "--gpus", "5"), "at least 6 GPUs"),
        (("orz_32b", "--gpus", "5", "--backend", "verl"), "at least 6 GPUs"),
        (("orz_7b", "--gpus", "64", f"{ENGINES}=x"), "valid integer"),
        (("orz_7b", "--gpus", "64", f"{ENGINES}=0"), "greater than or equal to 1"),
        (("orz_7b", "--backend", "verl", "--overlap"), "--overlap is for the native trainer"),
        (("orz_7b", "--lengths", "nowhere"), "no rollouts of a training run"),
        (("orz_7b", "--gpus", "8", f"{ENGINES}=9"), f"leave out {ENGINES}=9"),
    ],
)
def test_too_few_gpus_and_impossible_counts_are_refused(arguments: tuple[str, ...], wanted: str) -> None:
    assert wanted in orz_rl("plan", "--recipe", *arguments, expect=2).stderr


def test_idle_gpus_are_paid_for_too() -> None:
    plan = planned("orz_7b_grpo", "--gpus", "128", "rollout.num_problems=1")
    assert plan["gpus"]["idle"] == 64
    assert plan["total"]["gpu_hours"] == pytest.approx(plan["total"]["days"] * 24 * 128)
