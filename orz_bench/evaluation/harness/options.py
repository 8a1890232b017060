"""The options of `orz-bench eval` that apply to lm-eval's tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.evaluation.options import EvalOptions

PREFIX = "lm-eval:"
"""Before a task's name in --bench."""
_GENERATION_NAMES = {"temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "max_tokens": "max_gen_toks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HarnessOptions:
    """Options of lm-eval's tasks."""

    include_paths: tuple[Path, ...] = ()
    """Folders with the user's own tasks."""
    num_fewshot: int | None = None
    """None: as the task says."""
    chat: bool = False
    """Apply the checkpoint's chat template to prompts."""
    generation: Mapping[str, Any] | None = None
    """Settings of generation, by lm-eval's names, that replace the task's."""
    limit: int | None = None
    seed: int = 42


def harness_options(options: EvalOptions) -> HarnessOptions:
    """The options that apply to lm-eval's tasks. ConfigError if one is set that does not."""
    changes = options.protocol_changes.given()
    template = changes.pop("template", None)
    generation = {_GENERATION_NAMES[key]: changes.pop(key) for key in list(changes) if key in _GENERATION_NAMES}
    named = {
        "protocol": options.protocol,
        "template": template if template != "chat" else None,
        "ids": options.ids,
        "sample": options.sample,
        "select": options.search.select,
    }
    if changes or any(named.values()):
        given = ", ".join([*(name for name, value in named.items() if value), *changes])
        raise ConfigError(
            f"lm-eval's tasks decide for themselves how questions are asked and answers read, so these options do not "
            f"apply to them: {given}. These do: --template chat, --temperature, --top-p, --top-k, --max-tokens, "
            f"--num-fewshot."
        )
    if generation.get("temperature"):
        generation["do_sample"] = True
    return HarnessOptions(
        include_paths=options.include_paths,
        num_fewshot=options.num_fewshot,
        chat=template == "chat",
        generation=generation or None,
        limit=options.limit,
        seed=options.seed,
    )
