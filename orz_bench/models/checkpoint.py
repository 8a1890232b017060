"""Find a checkpoint's files, refuse folders that are not checkpoints or are half-written, and identify each.

A checkpoint is a Hugging Face folder, a LoRA adapter, a hub id, a training run (all its checkpoints), or a model on a
server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orz_bench.errors import ConfigError
from orz_bench.models.adapter import is_adapter, read_adapter
from orz_bench.models.digest import checkpoint_digest
from orz_bench.models.foreign import name_foreign
from orz_bench.models.json_file import read_object
from orz_bench.models.limits import ModelConfig
from orz_bench.models.steps import step_in_path
from orz_bench.models.weights import (
    EMBEDDINGS,
    INDEX,
    SINGLE,
    StoredTensor,
    is_same_content,
    stored_tensors,
    weight_files,
)
from orz_bench.records.run_dir import RunDir

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One model to evaluate."""

    path: str
    """Path for the engine: a local folder, or a name on a server."""
    label: str
    """For people and reports."""
    step: int
    digest: str
    """Digest of configuration, tokenizer, templates and all weights; results of different ones are never mixed."""
    origin: str = ""
    """How its weights were made, where they were made here: which adapter was merged into which base."""


def find_checkpoints(name: str, *, engine: str, step: int | None, reads_files: bool = True) -> list[Checkpoint]:
    """The checkpoints that `--ckpt name` means, by step: one, or all of a training run (or the one of `step`).

    Raises ConfigError if the path is not a checkpoint or is half-written.
    """
    path = Path(name)
    if (path / "run.json").exists():
        return _checkpoints_of_run(RunDir(path), engine=engine, step=step)
    if not reads_files and not (path / "config.json").exists():
        return [Checkpoint(path=name, label=name, step=step or 0, digest=f"{engine}:{name}")]
    folder = path if path.exists() else _hub_snapshot(name)
    label = name if folder is not path else path.resolve().name
    known_step = step_in_path(folder) if step is None else step
    if is_adapter(folder):
        if any((folder / file).is_file() for file in (INDEX, SINGLE)):
            raise ConfigError(
                f"{folder}: holds a whole model and an adapter (adapter_config.json); engines differ in which of them "
                f"they open. Move one of them into another folder."
            )
        return [_merged(folder, label=label, step=known_step or 0)]
    inspect_checkpoint(folder)
    return [Checkpoint(path=str(folder), label=label, step=known_step or 0, digest=checkpoint_digest(folder))]


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
    if config.is_tied:
        _refuse_second_head(folder, tensors)
    if not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        raise ConfigError(
            f"{folder}: no tokenizer beside the weights; copy the tokenizer files of the base model there."
        )


def _refuse_second_head(folder: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Tied weights with an output layer of its own in the files: vLLM ignores it, transformers does not."""
    head = next((tensor for name, tensor in tensors.items() if name.endswith("lm_head.weight")), None)
    embedding = next((tensor for name, tensor in tensors.items() if name.endswith(EMBEDDINGS)), None)
    if head is not None and embedding is not None and not is_same_content(head, embedding):
        raise ConfigError(
            f"{folder}: config.json ties the output layer to the embedding, but lm_head.weight differs from it, and "
            f"engines differ in which of them they use. Write tie_word_embeddings: false into config.json, or remove "
            f"lm_head.weight, whichever is this model."
        )


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


def _merged(folder: Path, *, label: str, step: int) -> Checkpoint:
    """The model that an adapter and its base make, merged into a folder of the user's cache."""
    adapter = read_adapter(folder)
    base = Path(adapter.base) if Path(adapter.base).exists() else _hub_snapshot(adapter.base, of=folder)
    if is_adapter(base):
        raise ConfigError(f"{folder}: its base {base} is an adapter too; merge that one first and name the result.")
    inspect_checkpoint(base)
    from orz_bench.models.merge import merge_adapter

    merged = merge_adapter(adapter, base=base)
    inspect_checkpoint(merged.folder)
    return Checkpoint(path=str(merged.folder), label=label, step=step, digest=merged.digest, origin=merged.origin)


def _checkpoints_of_run(run: RunDir, *, engine: str, step: int | None) -> list[Checkpoint]:
    run.info()
    saved = run.checkpoints()
    if not saved:
        raise ConfigError(f"{run.path}: a run without checkpoints; evaluate it after its first save.")
    if step is not None:
        steps = [at for at, _ in saved]
        saved = [(at, folder) for at, folder in saved if at == step]
        if not saved:
            raise ConfigError(f"{run.path}: no checkpoint of step {step}; there are {', '.join(map(str, steps))}.")
    checkpoints = []
    for at, folder in saved:
        if engine != "fake":
            inspect_checkpoint(folder)
        digest = f"fake:{at}" if engine == "fake" else _digest_in_run(folder)
        path = "fake" if engine == "fake" else str(folder)
        checkpoints.append(Checkpoint(path=path, label=run.path.resolve().name, step=at, digest=digest))
    return checkpoints


def _digest_in_run(policy: Path) -> str:
    """The identity that training gave it, under which its own evaluations are kept; else that of the files."""
    manifest = policy.parent / "manifest.json"
    found = checkpoint_digest(policy)
    if not manifest.exists():
        return found
    content = read_object(manifest)
    saved = content.get("policy_digest")
    if saved and saved != found:
        raise ConfigError(
            f"{policy}: not what training saved there (digest {found}, wanted {saved}): a file was changed since. Copy "
            f"it out of the run and evaluate the copy, or restore it."
        )
    return str(content.get("digest") or found)


def _hub_snapshot(name: str, *, of: Path | None = None) -> Path:
    """The hub's folder of a model, or of the base model `of` an adapter."""
    if not _HUB_ID.fullmatch(name):
        if of is not None:
            raise ConfigError(
                f"{of}: its base model {name} is neither a folder here nor a hub id (OWNER/NAME); write where it is as "
                f"base_model_name_or_path in {of / 'adapter_config.json'}."
            )
        raise ConfigError(
            f"--ckpt {name}: no such file or folder, and no hub id (OWNER/NAME). Wanted a Hugging Face checkpoint "
            f"folder, a hub id such as Qwen/Qwen2.5-7B, or a run directory of orz-rl."
        )
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja", "*.tiktoken", "vocab.bpe"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # the client raises anything; the user needs a remedy
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"--ckpt {name}: no such folder, and the hub did not give it ({reason}). Check the name and the network, "
            f"log in for a gated model, or name a local folder."
        ) from error
