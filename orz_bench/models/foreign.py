"""Folders and files that are no Hugging Face checkpoint: what they are, and what makes a checkpoint of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orz_bench.models.weights import INDEX, SINGLE

_MAX_NAMED = 8
_SHARD = re.compile(r"model-\d+-of-\d+\.safetensors")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of folder."""

    holds: Callable[[Path], bool]
    what: str
    remedy: str
    """With the placeholders {folder} and {parent}."""


def _any(*patterns: str) -> Callable[[Path], bool]:
    return lambda folder: any(next(folder.glob(pattern), None) is not None for pattern in patterns)


_KINDS = (
    _Kind(
        _any("model_world_size_*_rank_*.pt", "actor/model_world_size_*_rank_*.pt", "fsdp_config.json"),
        "FSDP shards of verl",
        "python -m verl.model_merger merge --backend fsdp --local_dir {verl} --target_dir NEW_FOLDER",
    ),
    _Kind(
        _any("dist_ckpt/metadata.json", "actor/dist_ckpt", "dist_ckpt"),
        "Megatron shards of verl",
        "python -m verl.model_merger merge --backend megatron --local_dir {verl} --target_dir NEW_FOLDER",
    ),
    _Kind(
        _any(
            "zero_pp_rank_*_optim_states.pt",
            "*_zero_pp_rank_*_optim_states.pt",
            "mp_rank_*_model_states.pt",
            "zero_pp_rank_*_model_states.pt",
            "zero_to_fp32.py",
            "global_step*/*_optim_states.pt",
            "global_step*/*_model_states.pt",
        ),
        "a DeepSpeed (ZeRO) training state",
        "python {zero}/zero_to_fp32.py {zero} NEW_FOLDER --safe_serialization (then copy config.json and the tokenizer "
        "files there)",
    ),
    _Kind(
        _any("latest_checkpointed_iteration.txt", "mp_rank_*/model_optim_rng.pt", "iter_*/mp_rank_*", "common.pt"),
        "a Megatron-LM checkpoint",
        "python tools/checkpoint/convert.py --model-type GPT --loader core --saver llama_mistral --load-dir {folder} "
        "--save-dir NEW_FOLDER (of Megatron-LM; Megatron Bridge: AutoBridge.export_ckpt)",
    ),
    _Kind(
        _any("pytorch_model_fsdp_*", "pytorch_model_fsdp.bin", "*.distcp", ".metadata"),
        "a sharded FSDP (torch.distributed.checkpoint) state",
        "accelerate merge-weights {fsdp} NEW_FOLDER (then copy config.json and the tokenizer files there)",
    ),
    _Kind(
        _any("*.gguf"),
        "GGUF weights of llama.cpp",
        "load them with transformers, AutoModelForCausalLM.from_pretrained({folder!r}, gguf_file={gguf!r}), and "
        "save_pretrained(NEW_FOLDER) model and tokenizer",
    ),
    _Kind(
        _any("consolidated*.pth", "params.json"),
        "original weights of Meta or Mistral (params.json)",
        "python -m transformers.models.llama.convert_llama_weights_to_hf --input_dir {folder} --output_dir NEW_FOLDER "
        "(Mistral: convert_mistral_weights_to_hf), or take the hub's Hugging Face edition",
    ),
    _Kind(
        _any("pytorch_model*.bin", "pytorch_model.bin.index.json"),
        "weights that are pickles (pytorch_model.bin), which are programs",
        "where you trust them: load with transformers, AutoModelForCausalLM.from_pretrained({folder!r}), and "
        "save_pretrained(NEW_FOLDER) model and tokenizer",
    ),
    _Kind(
        _any("tf_model.h5", "flax_model.msgpack", "*.onnx"),
        "weights of TensorFlow, Flax or ONNX",
        "save the PyTorch model with save_pretrained(NEW_FOLDER), or take the hub's safetensors edition",
    ),
    _Kind(
        _any("*.bin", "*.pt", "*.pth", "*.ckpt"),
        "weights that are pickles, which are programs",
        "where you trust them: load the model and save_pretrained(NEW_FOLDER) it with its tokenizer",
    ),
)


def name_foreign(folder: Path) -> str | None:
    """`FOLDER: ... it is X. Convert it: COMMAND` for a folder of another program's making; None for an unknown one."""
    kind = next((kind for kind in _KINDS if kind.holds(folder)), None)
    inside = checkpoints_inside(folder)
    if inside:
        return f"{folder}: no checkpoint itself{f' but {kind.what}' if kind else ''}; {_listed(folder, inside)}"
    if kind is None:
        return None
    return f"{folder}: {kind.what}; wanted safetensors in a Hugging Face folder. Convert: {_filled(kind, folder)}"


def checkpoints_inside(folder: Path) -> list[Path]:
    """Hugging Face checkpoints and adapters up to three folders below, as a Trainer or verl leave them."""
    found = {path.parent for path in _candidates(folder) if path.parent != folder and _has_weights(path.parent)}
    return sorted(found, key=lambda path: [_natural(part) for part in path.relative_to(folder).parts])


def _candidates(folder: Path) -> Iterator[Path]:
    for depth in range(1, 4):
        for name in ("config.json", "adapter_config.json"):
            yield from folder.glob("/".join(["*"] * depth + [name]))


def _has_weights(folder: Path) -> bool:
    names = (SINGLE, INDEX, "adapter_model.safetensors")
    return any((folder / name).is_file() for name in names) or any(
        _SHARD.fullmatch(path.name) for path in folder.glob("*.safetensors")
    )


def _listed(folder: Path, inside: list[Path]) -> str:
    shown = ", ".join(str(path) for path in inside[:_MAX_NAMED])
    more = f" and {len(inside) - _MAX_NAMED} more" if len(inside) > _MAX_NAMED else ""
    return f"{len(inside)} inside {folder.name or folder}: {shown}{more}. Name one of them with --ckpt."


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Orders checkpoint-200 before checkpoint-1000."""
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in re.split(r"([0-9]+)", text)]


def _filled(kind: _Kind, folder: Path) -> str:
    """The remedy with this folder's own names; each tool expects the folder of its shards."""
    state = next((path.parent for path in folder.glob("global_step*/*_states.pt")), folder)
    return kind.remedy.format(
        folder=str(folder),
        verl=folder / "actor" if (folder / "actor").is_dir() else folder,
        zero=state.parent if state != folder else folder.parent if folder.name.startswith("global_step") else folder,
        fsdp=next((path for path in folder.glob("pytorch_model_fsdp_*") if path.is_dir()), folder),
        gguf=next((path.name for path in sorted(folder.glob("*.gguf"))), ""),
    )
