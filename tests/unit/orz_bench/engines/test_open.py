"""Choosing engines and types; limits of a checkpoint's context."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from orz_bench.engines.describe import engine_version, max_model_len
from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.open import choose_dtype, choose_engine, open_engine
from orz_bench.engines.registry import ENGINES, make_spec
from orz_bench.engines.settings import TransformersSettings, VllmSettings
from orz_bench.errors import ConfigError


def test_auto_prefers_vllm_and_the_fallback_is_named_as_such() -> None:
    assert choose_engine("auto")[0] == "vllm"
    assert choose_engine("transformers") == ("transformers", "engine: transformers, the slow fallback")


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        choose_engine("vlm")


def test_types() -> None:
    assert choose_dtype("auto", "vllm") in ("bfloat16", "float32")
    assert choose_dtype("float16", "transformers") == "float16"
    assert choose_dtype("float16", "openai") == "unknown"
    with pytest.raises(ConfigError, match="--dtype bf16 is unknown \\(did you mean 'bfloat16'\\?\\); there are"):
        choose_dtype("bf16", "vllm")


def test_the_context_is_what_the_checkpoint_allows_or_less(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"max_position_embeddings": 2048}', encoding="utf-8")

    def limit(wanted: int | None) -> int | None:
        return max_model_len(EngineSpec(name="vllm", checkpoint=str(tmp_path), max_model_len=wanted))

    assert (limit(None), limit(100)) == (2048, 100)
    with pytest.raises(ConfigError, match=r"--max-model-len is 4,096, but .* allows 2,048"):
        limit(4096)


def test_the_version_is_part_of_the_card() -> None:
    assert engine_version(EngineSpec(name="vllm", checkpoint="x")).startswith("vllm 0.")
    assert engine_version(EngineSpec(name="fake", checkpoint="x")) == "fake 1"


def test_a_setting_reaches_its_engine() -> None:
    given: dict[str, Any] = {"batch_size": 4, "tensor_parallel": 1, "num_engines": 2, "tokenizer": None}
    spec = make_spec(name="transformers", checkpoint="x", **given)
    assert (spec.settings, spec.num_engines) == (TransformersSettings(batch_size=4), 2)
    assert TransformersSettings.of(spec.settings).batch_size == 4
    assert TransformersSettings.of(None) == TransformersSettings()


@pytest.mark.parametrize(
    ("name", "given", "option"),
    [
        ("vllm", {"batch_size": 4}, "--batch-size is a setting of --engine transformers"),
        ("transformers", {"gpu_memory_share": 0.5}, "--gpu-memory-share is a setting of --engine vllm"),
        ("fake", {"request_timeout_s": 2.0}, "--request-timeout is a setting of --engine openai"),
        ("openai", {"tensor_parallel": 2}, "--tensor-parallel is a setting of --engine vllm"),
    ],
)
def test_a_setting_of_another_engine_is_refused(name: str, given: dict[str, Any], option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option} and has no effect on {name}; leave it out"):
        make_spec(name=name, checkpoint="x", **given)


def test_settings_of_another_engine_are_refused() -> None:
    with pytest.raises(ConfigError, match="settings of the engine vllm were given to the engine fake"):
        EngineSpec(name="fake", checkpoint="x", settings=VllmSettings())


def test_every_setting_belongs_to_one_engine_and_every_engine_has_its_own_class() -> None:
    names = [field.name for engine in ENGINES.values() for field in fields(engine.settings)]
    assert len(names) == len(set(names))
    assert all(engine.settings.engine in (engine.name, "fake") for engine in ENGINES.values())


def test_several_engines_cannot_share_a_server() -> None:
    with pytest.raises(ConfigError, match="raise --concurrency instead"):
        open_engine(EngineSpec(name="openai", checkpoint="x", num_engines=2))
