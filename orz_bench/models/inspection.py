"""Refuse a folder that is not a whole Hugging Face checkpoint with a tokenizer, and name what it is instead."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.foreign import name_foreign
from orz_bench.models.limits import ModelConfig
from orz_bench.models.weights import (
    EMBEDDINGS,
    INDEX,
    SINGLE,
    StoredTensor,
    is_same_content,
    stored_tensors,
    weight_files,
)

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")


def inspect_checkpoint(folder: Path) -> None:
    """Raise ConfigError unless `folder` holds a whole Hugging Face checkpoint with a tokenizer."""
    if not (folder / "config.json").is_file():
        what = "it is a file" if folder.is_file() else "config.json is missing"
        foreign = name_foreign(folder) if folder.is_dir() else None
        raise ConfigError(
            foreign
            or f"{folder}: not a checkpoint: {what}. Wanted a Hugging Face checkpoint folder, a hub id such as "
            f"Qwen/Qwen2.5-7B, or a run directory of orz-rl."
        )
    config = ModelConfig(folder / "config.json")
    if not any((folder / file).is_file() for file in (INDEX, SINGLE)):
        _refuse_without_weights(folder)
    _ = config.model_type, config.context, config.vocabulary
    tensors = stored_tensors(folder)
    if config.is_tied and _has_second_head(tensors):
        raise ConfigError(
            f"{folder}: config.json ties the output layer to the embedding, but lm_head.weight differs from it, and "
            f"engines differ in which of them they use. Write tie_word_embeddings: false into config.json, or remove "
            f"lm_head.weight, whichever is this model."
        )
    if not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        raise ConfigError(
            f"{folder}: no tokenizer beside the weights; copy the tokenizer files of the base model there."
        )


def _has_second_head(tensors: Mapping[str, StoredTensor]) -> bool:
    """Whether tied weights come with an output layer of its own: vLLM ignores it, transformers does not."""
    head = next((tensor for name, tensor in tensors.items() if name.endswith("lm_head.weight")), None)
    embedding = next((tensor for name, tensor in tensors.items() if name.endswith(EMBEDDINGS)), None)
    return head is not None and embedding is not None and not is_same_content(head, embedding)


def _refuse_without_weights(folder: Path) -> None:
    """Describe what the folder holds instead; verl leaves configuration and tokenizer in a folder below its shards."""
    strays = sorted(path.name for path in folder.glob("*.safetensors"))
    if strays:
        raise ConfigError(
            f"{folder}: weight files without {INDEX} ({', '.join(strays[:3])}), so which of them make up the model is "
            f"unknown; save or download the checkpoint again."
        )
    found = name_foreign(folder) or (name_foreign(folder.parent) if folder.name == "huggingface" else None)
    if found:
        raise ConfigError(found)
    weight_files(folder)
