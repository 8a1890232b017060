"""Merge a LoRA adapter into its base model, once, into a checkpoint of the user's cache that every engine opens.

W + scale * B A is computed in float32 and rounded once to the type of W. A merged folder is named by the digests of
adapter and base and of this arithmetic, and is made anew where a byte of it has changed.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from orz_bench.errors import ConfigError
from orz_bench.models.adapter import CONFIG, WEIGHTS, Adapter
from orz_bench.models.digest import (
    NAMED_FILES,
    TEMPLATES,
    checkpoint_digest,
    default_cache,
    file_digest,
    short_digest,
)
from orz_bench.models.json_file import read_object
from orz_bench.models.weights import EMBEDDINGS, INDEX, SINGLE, read_header, stored_tensors, weight_files

_ARITHMETIC = "merged in float32, rounded once"
_MADE = "merged.json"
"""Written last; holds the digest of what was made."""
_FIRST = "base_model.model."
_EMBEDDINGS = (*EMBEDDINGS, "lm_head.weight")
_MODEL_FILES = ("config.json", "generation_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A merged model."""

    folder: Path
    digest: str
    """Digest of base, adapter and arithmetic: the same on every machine, however its matrix products round."""
    origin: str


@dataclass(slots=True, kw_only=True)
class _Change:
    """The change that the adapter makes to one tensor of the base."""

    up: Tensor | None = None
    down: Tensor | None = None
    scale: float = 0.0
    is_transposed: bool = False
    whole: Tensor | None = None
    """The tensor that takes its place."""


def merge_adapter(adapter: Adapter, *, base: Path, cache: Path | None = None) -> Merged:
    """The merged checkpoint, from the cache where it is whole. ConfigError if adapter and base do not fit."""
    digest_of_base = checkpoint_digest(base)
    files = [path for path in sorted(adapter.folder.iterdir()) if path.name in (NAMED_FILES | {CONFIG, WEIGHTS})]
    parts = [f"{path.name}\0{file_digest(path)}" for path in files]
    digest_of_adapter = short_digest("\n".join(parts))
    digest = short_digest(f"{_ARITHMETIC}\n{digest_of_base}\n{digest_of_adapter}")
    target = (cache or default_cache().parent / "merged") / digest
    if not _is_whole(target):
        try:
            _make(target, adapter=adapter, base=base)
        except OSError as error:
            raise ConfigError(
                f"{target}: the merged model cannot be written ({error.strerror or error}); make room there, or name "
                f"another place with XDG_CACHE_HOME."
            ) from error
    parents = f"LoRA adapter {adapter.folder} ({digest_of_adapter}) on {adapter.base} ({digest_of_base})"
    return Merged(folder=target, digest=digest, origin=f"{parents}, {_ARITHMETIC}")


def _is_whole(target: Path) -> bool:
    try:
        made = read_object(target / _MADE)
        return bool(made.get("digest") == checkpoint_digest(target))
    except (ConfigError, OSError):
        return False


def _make(target: Path, *, adapter: Adapter, base: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".merging-", dir=target.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        changes = _changes(adapter, base=base)
        _copy_small_files(adapter.folder, base=base, made=made)
        _fit_vocabulary(made / "config.json", changes)
        weight_map: dict[str, str] = {}
        for file in weight_files(base):
            tensors = _merged_file(file, changes, adapter=adapter)
            save_file(tensors, made / file.name, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(tensors, file.name)
        if set(weight_map.values()) != {SINGLE}:
            (made / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}), encoding="utf-8")
        content = {"digest": checkpoint_digest(made), "adapter": str(adapter.folder), "base": adapter.base}
        (made / _MADE).write_text(json.dumps(content), encoding="utf-8")
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)


def _changes(adapter: Adapter, *, base: Path) -> dict[str, _Change]:
    """Changes by the tensor's name in the base."""
    if read_object(base / "config.json").get("quantization_config"):
        raise ConfigError(
            f"{adapter.folder}: its base {base} is quantised; write the full model that it was made from as "
            f"base_model_name_or_path in {CONFIG}."
        )
    stored = stored_tensors(base)
    tensors = _adapter_tensors(adapter)
    _refuse_tied(adapter, tensors, base=base)
    changes: dict[str, _Change] = {}
    for name, tensor in tensors.items():
        module, _, kind = _split(name)
        wanted = name if kind == "whole" else f"{module}.weight"
        found = next((key for key in (wanted, wanted.partition(".")[2], f"model.{wanted}") if key in stored), None)
        if found is None:
            raise ConfigError(
                f"{adapter.folder}: changes {wanted}, which its base {base} does not have; name the model that it was "
                f"trained on as base_model_name_or_path in {CONFIG}."
            )
        change = changes.setdefault(found, _Change())
        if kind == "whole":
            change.whole = tensor
        elif kind == "up":
            change.up = tensor
        else:
            change.down = tensor
            change.scale = adapter.scale(module, rank=_rank(name, tensor))
        change.is_transposed = adapter.is_transposed or "lora_embedding" in name
    return changes


def _adapter_tensors(adapter: Adapter) -> dict[str, Tensor]:
    path = adapter.folder / WEIGHTS
    read_header(path)
    tensors = {_module_name(name): tensor for name, tensor in load_file(path).items()}
    broken = next((name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor.float()).all())), None)
    if broken:
        raise ConfigError(f"{path}: the adapter is broken: {broken} holds NaN or infinity; use an earlier one.")
    unknown = [name for name in tensors if "lora_" in name and _split(name)[2] == "whole"]
    if unknown or not tensors:
        what = f"holds {unknown[0]}, which plain LoRA does not have" if unknown else "holds no tensors"
        raise ConfigError(f"{path}: {what}; merge it with PEFT (merge_and_unload) and name the result.")
    return tensors


def _module_name(stored: str) -> str:
    """Without PEFT's own layers around the model."""
    return stored.removeprefix(_FIRST).replace(".modules_to_save.", ".").replace(".base_layer.", ".")


def _split(name: str) -> tuple[str, str, str]:
    """(module, the adapter's own part, up, down or whole) of a tensor's name."""
    for part, kind in (
        (".lora_A.weight", "down"),
        (".lora_B.weight", "up"),
        (".lora_embedding_A", "down"),
        (".lora_embedding_B", "up"),
    ):
        if name.endswith(part):
            return name.removesuffix(part), part, kind
    return name, "", "whole"


def _rank(name: str, down: Tensor) -> int:
    if down.dim() != 2:
        raise ConfigError(f"{name}: has {down.dim()} dimensions, wanted a matrix; merge this adapter with PEFT.")
    return int(down.shape[0])


def _refuse_tied(adapter: Adapter, tensors: Iterable[str], *, base: Path) -> None:
    """Where input and output share a matrix, PEFT changes one of them; a merged file has one for both."""
    wanted = (name if kind == "whole" else f"{module}.weight" for name in tensors for module, _, kind in [_split(name)])
    touched = [name for name in wanted if name.endswith(_EMBEDDINGS)]
    says_so = bool(read_object(base / "config.json").get("tie_word_embeddings"))
    is_tied = says_so or not any(name.endswith("lm_head.weight") for name in stored_tensors(base))
    if not touched or not is_tied:
        return
    raise ConfigError(
        f"{adapter.folder}: changes {touched[0]}, which its base {base} shares between input and output; merge it with "
        f"PEFT (merge_and_unload), untied where it was trained so, and name the result."
    )


def _merged_file(file: Path, changes: Mapping[str, _Change], *, adapter: Adapter) -> dict[str, Tensor]:
    with safe_open(file, framework="pt") as stream:
        return {
            name: _merged_tensor(name, stream.get_tensor(name), change=changes.get(name), adapter=adapter)
            for name in stream.keys()  # noqa: SIM118 - not a dictionary
        }


def _merged_tensor(name: str, weight: Tensor, *, change: _Change | None, adapter: Adapter) -> Tensor:
    if change is None:
        return weight
    if change.whole is not None:
        is_resized = name.endswith(_EMBEDDINGS) and change.whole.shape[1:] == weight.shape[1:]
        if not (is_resized or change.whole.shape == weight.shape):
            raise _misfit(adapter, name, found=change.whole.shape, wanted=weight.shape)
        weight = change.whole.to(weight.dtype).contiguous()
    if change.up is None and change.down is None:
        return weight
    if change.up is None or change.down is None:
        raise ConfigError(f"{adapter.folder}: has half of the adapter of {name}; save or download it again.")
    if change.up.shape[-1] != change.down.shape[0]:
        raise _misfit(adapter, name, found=change.up.shape, wanted=change.down.shape)
    delta = change.scale * (change.up.float() @ change.down.float())
    delta = delta.T if change.is_transposed else delta
    if delta.shape != weight.shape:
        raise _misfit(adapter, name, found=delta.shape, wanted=weight.shape)
    return (weight.float() + delta).to(weight.dtype).contiguous()


def _misfit(adapter: Adapter, name: str, *, found: Any, wanted: Any) -> ConfigError:
    return ConfigError(
        f"{adapter.folder}: its change of {name} has the shape {tuple(found)}, its base the shape {tuple(wanted)}; "
        f"name the model that it was trained on as base_model_name_or_path in {CONFIG}."
    )


def _copy_small_files(adapter: Path, *, base: Path, made: Path) -> None:
    """The base's configuration; the adapter's tokenizer, else the base's."""
    named = sorted(NAMED_FILES - set(_MODEL_FILES))
    own = [name for name in named if (adapter / name).is_file()]
    source = adapter if any(name.startswith(("tokenizer.", "vocab", "spiece")) for name in own) else base
    for name in _MODEL_FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, made / name)
    for name in named:
        if (source / name).is_file():
            shutil.copyfile(source / name, made / name)
    if (source / TEMPLATES).is_dir():
        shutil.copytree(source / TEMPLATES, made / TEMPLATES)


def _fit_vocabulary(path: Path, changes: Mapping[str, _Change]) -> None:
    """The configuration names as many rows as the adapter's own embedding has."""
    rows = {
        int(change.whole.shape[0])
        for name, change in changes.items()
        if change.whole is not None and name.endswith(_EMBEDDINGS)
    }
    config = read_object(path)
    if len(rows) == 1 and isinstance(config.get("vocab_size"), int):
        config["vocab_size"] = rows.pop()
        path.write_text(json.dumps(config, indent=2), encoding="utf-8")
