"""Facts about an engine of a spec, known before it is opened: version, context, likelihoods, fields of the card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineSpec, Tokenizer
from orz_bench.engines.registry import get_engine
from orz_bench.errors import ConfigError
from orz_bench.models.limits import ModelConfig


def engine_version(spec: EngineSpec) -> str:
    """Name and version, such as "vllm 0.32.0": part of the protocol card."""
    return get_engine(spec.name).version


def max_model_len(spec: EngineSpec) -> int | None:
    """Tokens of prompt and completion together: what the checkpoint allows, or less if the spec says so."""
    config = Path(spec.checkpoint) / "config.json"
    if not config.is_file():
        return spec.max_model_len
    limit = ModelConfig(config).context
    if spec.max_model_len is not None and limit is not None and spec.max_model_len > limit:
        raise ConfigError(
            f"--max-model-len is {spec.max_model_len:,}, but {spec.checkpoint} allows {limit:,}, its RoPE scaling "
            f"included; lower it."
        )
    return spec.max_model_len or limit or get_engine(spec.name).default_context


def max_scored_len(spec: EngineSpec) -> int | None:
    """Tokens of context and continuation of a text that the engine scores."""
    limit = max_model_len(spec)
    return None if limit is None else limit - get_engine(spec.name).tokens_after_scoring


def card_facts(spec: EngineSpec, tokenizer: Callable[[], Tokenizer | None] | None = None) -> dict[str, Any]:
    """The fields of the protocol card that the spec decides.

    `tokenizer` is called only if the spec has a tokenizer that is not the checkpoint's.
    """
    facts: dict[str, Any] = {
        "engine": engine_version(spec),
        "dtype": spec.dtype,
        "max_model_len": max_model_len(spec),
    }
    if package := get_engine(spec.name).package:
        facts["plugins"] = {"engine": package}
    if spec.server is not None:
        names = ("base_url", "model", "root", "answers_as")
        facts["server"] = {name: value for name, value in asdict(spec.server).items() if name in names}
        facts["prompts_as"] = spec.server.prompts
        facts["endpoint"] = "chat" if spec.server.endpoint == "chat" else None
    if spec.tokenizer is not None and tokenizer is not None:
        from orz_bench.engines.tokenizer import CheckpointTokenizer

        loaded = tokenizer()
        if isinstance(loaded, CheckpointTokenizer):
            facts["tokenizer"] = loaded.digest
    return facts


def require_likelihoods(engine: str, *, num_engines: int) -> None:
    """Raise ConfigError if so many of these engines cannot compute log-likelihoods of given texts."""
    if not get_engine(engine).has_likelihoods:
        raise ConfigError(
            f"--engine {engine} computes no log-likelihoods of given texts: load the checkpoint here (--engine vllm "
            f"or transformers), or use a benchmark with written answers, such as mmlu_cot."
        )
    if num_engines > 1:
        raise ConfigError(
            "--num-engines generates samples but computes no log-likelihoods; leave it out here. One engine may use "
            "several GPUs: --tensor-parallel."
        )
