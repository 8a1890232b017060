"""LoRA adapters of PEFT: settings, base model, and whether they can be merged exactly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError
from orz_bench.models.json_file import read_object

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
_READ = {"r", "lora_alpha", "use_rslora", "fan_in_fan_out", "alpha_pattern"}
_NO_MATTER = {
    # Names, training, and where adapters are; ranks and targets follow from the tensors.
    "peft_type", "task_type", "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "peft_version",
    "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "rank_pattern", "modules_to_save",
    "lora_dropout", "bias", "init_lora_weights", "qalora_group_size", "ensure_weight_tying", "megatron_core",
    "runtime_config",
}  # fmt: skip
_PLAIN_STARTS = (True, False, None, "gaussian", "kaiming")
"""Initialisations that leave the base model as it is; PiSSA, OLoRA, CorDA and LoftQ change it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """A LoRA adapter whose sum with its base is known: W + scale * B A."""

    folder: Path
    base: str
    """A folder or a hub id, as the adapter names it."""
    alpha: float
    alpha_pattern: Mapping[str, float] = field(default_factory=dict)
    """Other alphas, by a pattern of module names."""
    is_rank_stabilised: bool
    """True: the scale is alpha / sqrt(r); false: alpha / r."""
    is_transposed: bool
    """True if the base stores its matrices as (in, out), as GPT-2 does."""

    def scale(self, module: str, *, rank: int) -> float:
        """By which B A of this module is multiplied."""
        matching = (alpha for pattern, alpha in self.alpha_pattern.items() if re.match(rf"(.*\.)?({pattern})$", module))
        alpha = next(matching, self.alpha)
        return float(alpha / (rank**0.5 if self.is_rank_stabilised else rank))


def is_adapter(folder: Path) -> bool:
    """True if a folder contains an adapter."""
    return (folder / CONFIG).is_file()


def read_adapter(folder: Path) -> Adapter:
    """The adapter in `folder`. ConfigError for a kind that this version cannot merge exactly, with what can be done."""
    path = folder / CONFIG
    found = read_object(path)
    _refuse_unknown(folder, found)
    base = found.get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ConfigError(f"{path}: names no base model; write its folder or hub id as base_model_name_or_path.")
    if not (folder / WEIGHTS).is_file():
        pickled = (folder / "adapter_model.bin").is_file()
        raise ConfigError(
            f"{folder}: an adapter without {WEIGHTS}"
            + (
                "; adapter_model.bin is a pickle, which is a program. Where you trust it, load it with PEFT and "
                "save_pretrained() it into another folder."
                if pickled
                else "; wait for the save or the download to finish, or repeat it."
            )
        )
    alpha = found.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        raise ConfigError(f"{path}: lora_alpha is {alpha!r}, wanted a number; save the adapter again.")
    return Adapter(
        folder=folder,
        base=base,
        alpha=float(alpha),
        alpha_pattern={str(name): float(value) for name, value in (found.get("alpha_pattern") or {}).items()},
        is_rank_stabilised=bool(found.get("use_rslora")),
        is_transposed=bool(found.get("fan_in_fan_out")),
    )


def _refuse_unknown(folder: Path, found: Mapping[str, Any]) -> None:
    kind, task = found.get("peft_type"), found.get("task_type")
    reasons = [f"peft_type is {kind}"] if kind != "LORA" else []
    reasons += [f"task_type is {task}"] if task not in (None, "CAUSAL_LM") else []
    start = found.get("init_lora_weights", True)
    # PEFT itself says of these that the base model is changed before training.
    reasons += [f"init_lora_weights is {start!r}"] if start not in _PLAIN_STARTS else []
    reasons += [f"{name} is {value!r}" for name, value in found.items() if value and name not in _READ | _NO_MATTER]
    if reasons:
        raise ConfigError(
            f"{folder}: an adapter of PEFT ({', '.join(reasons)}) that is not merged here; plain LoRA of a causal "
            f"language model is. Merge it with PEFT and name the result: PeftModel.from_pretrained(BASE, "
            f"{str(folder)!r}).merge_and_unload().save_pretrained(NEW_FOLDER), the tokenizer too."
        )
