"""The plan's arithmetic: parameter counts, batches, and memory against measured tensors of a small model."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import ConfigError
from orz_rl.architectures import PUBLISHED, architecture_of
from orz_rl.models import TINY
from orz_rl.planning import GIB, Hardware, make_plan, model_memory, num_devices
from orz_rl.recipes.registry import resolve


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        ("Qwen/Qwen2.5-0.5B", 494_032_768),
        ("Qwen/Qwen2.5-1.5B", 1_543_714_304),
        ("Qwen/Qwen2.5-7B", 7_615_616_512),
        ("Qwen/Qwen2.5-32B", 32_763_876_352),
    ],
)
def test_published_models_have_their_published_sizes(model: str, parameters: int) -> None:
    assert PUBLISHED[model].policy_parameters == parameters


@pytest.mark.parametrize(
    ("model", "kv_bytes"),
    [
        ("Qwen/Qwen2.5-0.5B", 12_288),
        ("Qwen/Qwen2.5-1.5B", 28_672),
        ("Qwen/Qwen2.5-7B", 57_344),
        ("Qwen/Qwen2.5-32B", 262_144),
    ],
)
def test_cache_bytes_a_token(model: str, kv_bytes: int) -> None:
    assert PUBLISHED[model].kv_bytes_per_token(2) == kv_bytes


def test_the_embedded_model_is_counted_exactly() -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(TINY)
    assert architecture_of("tiny").policy_parameters == sum(p.numel() for p in model.parameters())


def test_memory_is_what_a_real_optimiser_holds(tmp_path: Path) -> None:
    from tests.unit.orz_rl.workers.test_model_rank import a_rank, a_spec, policy_pack, trained

    config = resolve("tiny")
    model = architecture_of("tiny")
    rank = a_rank(a_spec(TINY))
    trained(rank, [policy_pack([0, 1])])
    measured = rank.num_bytes()
    estimated = model_memory(model.policy_parameters, model, config=config, ranks=1)
    assert estimated.weights == pytest.approx(measured["weights"], rel=0.05)
    assert estimated.optimizer == pytest.approx(measured["optimizer"], rel=0.05)


@pytest.mark.parametrize(
    ("recipe", "devices"), [("orz_0p5b_1gpu", 1), ("orz_0p5b", 8), ("orz_1p5b", 16), ("orz_7b", 32), ("orz_32b", 128)]
)
def test_published_settings_take_their_gpus_and_fit(recipe: str, devices: int) -> None:
    config = resolve(recipe)
    assert num_devices(config) == devices
    plan = make_plan(config, Hardware(), mean_tokens=2000)
    assert plan.fits
    assert not list(plan.advice())


def test_sharding_divides_what_it_should() -> None:
    config = resolve("orz_7b")
    model = PUBLISHED["Qwen/Qwen2.5-7B"]
    count = model.policy_parameters
    whole = model_memory(count, model, config=resolve("orz_7b", overrides=["cluster.zero_stage=0"]), ranks=32)
    assert (whole.weights, whole.gradients, whole.optimizer) == (2 * count, 4 * count, 12 * count)
    shared = model_memory(count, model, config=config, ranks=32)
    assert shared.states == pytest.approx(18 * count / 32)


def test_what_does_not_fit_comes_with_advice() -> None:
    config = resolve("orz_7b", overrides=["cluster.zero_stage=1", "model.gradient_checkpointing=false"])
    plan = make_plan(config, Hardware(memory_gib=24), mean_tokens=2000)
    assert not plan.fits
    advice = " ".join(plan.advice())
    assert "cluster.zero_stage=3" in advice
    assert "gradient_checkpointing=true" in advice
    assert plan.training_bytes > 24 * GIB


def test_an_unknown_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its size is unknown"):
        architecture_of(str(tmp_path))
