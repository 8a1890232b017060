"""Choosing engines and types; limits of a checkpoint's context."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.engines.engine import EngineSpec
from orz_bench.engines.open import choose_dtype, choose_engine, engine_version, max_model_len, open_engine
from orz_bench.errors import ConfigError


def test_auto_prefers_vllm_and_the_fallback_says_that_it_is_one() -> None:
    assert choose_engine("auto")[0] == "vllm"
    assert choose_engine("transformers") == ("transformers", "engine: transformers, the slow fallback")


def test_an_unknown_engine_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'vllm'"):
        choose_engine("vlm")


def test_types() -> None:
    assert choose_dtype("auto", "vllm") in ("bfloat16", "float32")
    assert choose_dtype("float16", "transformers") == "float16"
    assert choose_dtype("float16", "openai") == "unknown"
    with pytest.raises(ConfigError, match="--dtype bf16 is unknown; did you mean 'bfloat16'"):
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


def test_several_engines_are_no_setting_of_a_server() -> None:
    with pytest.raises(ConfigError, match="raise --concurrency instead"):
        open_engine(EngineSpec(name="openai", checkpoint="x", num_engines=2))
