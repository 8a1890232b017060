"""The options of a judge, which `orz-analysis detect` has with `--judge-` before their names. Imports nothing heavy."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer

from orz_bench.engines.model_options import EngineOptions, parse_template_args
from orz_bench.engines.registry import ENGINES
from orz_bench.terminal import listed

_NOT_OF_JUDGES = ("keep_tokens", "samples_per_request", "price_in", "price_out", "continue_on_error")
"""Settings of engines that change nothing about a stored verdict, or have another meaning for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """How a judge is opened, on this machine or on a server, and how it answers."""

    engine: Annotated[str, typer.Option(help=f"{listed(('auto', *ENGINES))}.")] = "auto"
    dtype: Annotated[
        str,
        typer.Option(help="bfloat16, float16, float32; auto: bfloat16 where the machine is fast at it, else float32."),
    ] = "auto"
    engine_settings: EngineOptions = field(default_factory=EngineOptions, metadata={"without": _NOT_OF_JUDGES})
    continue_on_error: Annotated[
        bool, typer.Option(help="Store a response to which a server gives no reply as unclear.")
    ] = False
    template_args: Annotated[
        Mapping[str, Any],
        typer.Option(help="NAME=VALUE for the judge's chat template, such as enable_thinking=false."),
        parse_template_args,
    ] = field(default_factory=dict)
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of a reply, the judge's thoughts included.")] = 16
    temperature: Annotated[float, typer.Option(min=0, help="Of the judge's replies; 0: greedy.")] = 0.0
    seed: Annotated[int, typer.Option(help="Of the judge's replies.")] = 0

    def by_name(self) -> dict[str, Any]:
        """The settings of engines, as make_spec names them."""
        return self.engine_settings.by_name() | {"continue_on_error": self.continue_on_error}


def named_for_judge(message: str) -> str:
    """A message of an engine with the names that its options have here, such as --judge-base-url."""
    message = message.replace("as failed, which counts as wrong", "as unclear")
    return _OPTION.sub(lambda found: "--judge" if found[1] == "ckpt" else f"--judge-{found[1]}", message)


def _names(group: Any) -> Iterator[str]:
    hints = get_type_hints(group)
    for each in fields(group):
        if is_dataclass(hints[each.name]):
            yield from _names(hints[each.name])
        else:
            yield each.name.removesuffix("_s").replace("_", "-")


_OPTION = re.compile(rf"(?<![\w-])--(ckpt|{'|'.join(sorted(_names(JudgeOptions), key=len, reverse=True))})(?![\w-])")
