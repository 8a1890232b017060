"""The options with which a command opens a checkpoint that it asks something. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import typer

from orz_bench.engines.registry import ENGINES
from orz_bench.engines.settings import TransformersSettings, VllmSettings
from orz_bench.terminal import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Which engine opens the checkpoint, and how."""

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
