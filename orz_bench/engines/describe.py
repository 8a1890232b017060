"""Facts about an engine of a spec, known before it is opened: version, context, likelihoods."""

from __future__ import annotations

from pathlib import Path

from orz_bench.engines.engine import EngineSpec
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


def require_likelihoods(spec: EngineSpec) -> None:
    """Raise ConfigError if engines of this spec cannot compute log-likelihoods of given texts."""
    if not get_engine(spec.name).has_likelihoods:
        raise ConfigError(
            f"--engine {spec.name} computes no log-likelihoods of given texts: load the checkpoint here (--engine vllm "
            f"or transformers), or use a benchmark with written answers, such as mmlu_cot."
        )
    if spec.num_engines > 1:
        raise ConfigError(
            "--num-engines generates samples but computes no log-likelihoods; leave it out here. One engine may use "
            "several GPUs: --tensor-parallel."
        )
