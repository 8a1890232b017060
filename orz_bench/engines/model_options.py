"""The options with which a command opens a model, here or on a server. Imports nothing heavy."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from orz_bench.engines.registry import ENGINES
from orz_bench.engines.settings import ServerSettings, SharedSettings, TransformersSettings, VllmSettings
from orz_bench.errors import ConfigError
from orz_bench.terminal import listed


def parse_template_args(words: list[str] | None) -> dict[str, Any]:
    """`enable_thinking=false` as {"enable_thinking": False}. ConfigError for a word without a name."""
    args: dict[str, Any] = {}
    for word in words or ():
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--template-args {word}: wanted NAME=VALUE, such as enable_thinking=false.")
        try:
            args[name] = json.loads(value)
        except ValueError:
            args[name] = value
    return args


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(SharedSettings):
    """How an engine is opened: what all engines have, and the settings of each."""

    vllm: VllmSettings = field(default_factory=VllmSettings)
    transformers: TransformersSettings = field(default_factory=TransformersSettings)
    server: ServerSettings = field(default_factory=ServerSettings)

    def by_name(self) -> dict[str, Any]:
        """The settings that are options, as make_spec names them."""
        plain = asdict(self)
        for group in ("vllm", "transformers", "server"):
            plain |= plain.pop(group)
        return {name: value for name, value in plain.items() if name != "sleeps"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which engine opens a checkpoint that is asked for tokens and their likelihoods, and how: no server."""

    engine: Annotated[str, typer.Option(help=f"{listed(('auto', *ENGINES))}.")] = "auto"
    dtype: Annotated[
        str,
        typer.Option(help="bfloat16, float16, float32; auto: bfloat16 where the machine is fast at it, else float32."),
    ] = "auto"
    max_model_len: Annotated[int | None, typer.Option(help="Prompt and completion together, in tokens.")] = None
    vllm: VllmSettings = field(default_factory=VllmSettings)
    transformers: TransformersSettings = field(default_factory=TransformersSettings)

    def by_name(self) -> dict[str, Any]:
        """The settings of engines, as make_spec names them."""
        both = asdict(self.vllm) | asdict(self.transformers)
        return {name: value for name, value in both.items() if name != "sleeps"} | {"max_model_len": self.max_model_len}
