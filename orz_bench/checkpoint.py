"""What is evaluated: find a checkpoint's files, refuse half-written ones, and give each an identity.

A checkpoint is a Hugging Face folder, a hub id, a training run (all its checkpoints), or a model on a server.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.engines.engine import EngineName
from orz_bench.errors import ConfigError
from orz_bench.records.run_dir import RunDir

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_STEP_IN_PATH = re.compile(r"(?:^|/)(?:step=|iter|checkpoint-|global_step_?)(\d+)(?=/|$)")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tokenizer_config.json")
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")
_NUM_PROBES = 16
_PROBE_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One model to evaluate."""

    path: str
    """What an engine opens: a local folder, or a name on a server."""
    label: str
    """For people and reports."""
    step: int
    digest: str
    """Of configuration, tokenizer and weights (sampled); results of different digests are never mixed."""


def find_checkpoints(name: str, *, engine: EngineName, step: int | None) -> list[Checkpoint]:
    """The checkpoints that `--ckpt name` means, by step: one, or all of a training run (or the one of `step`).

    Raises ConfigError for a path that is no checkpoint and for a half-written one.
    """
    path = Path(name)
    if (path / "run.json").exists():
        return _checkpoints_of_run(RunDir(path), engine=engine, step=step)
    if engine in ("fake", "openai") and not (path / "config.json").exists():
        return [Checkpoint(path=name, label=name, step=step or 0, digest=f"{engine}:{name}")]
    folder = path if path.exists() else _hub_snapshot(name)
    inspect_checkpoint(folder)
    label = name if folder is not path else path.resolve().name
    found = _STEP_IN_PATH.search(str(folder)) if step is None else None
    step = int(found.group(1)) if found else (step or 0)
    return [Checkpoint(path=str(folder), label=label, step=step, digest=checkpoint_digest(folder))]


def inspect_checkpoint(folder: Path) -> None:
    """Raise ConfigError unless `folder` holds a whole Hugging Face checkpoint with a tokenizer."""
    if not (folder / "config.json").is_file():
        what = "a file" if folder.is_file() else "a folder without config.json"
        raise ConfigError(
            f"{folder}: no checkpoint ({what}). Wanted a Hugging Face checkpoint folder, a hub id such as "
            f"Qwen/Qwen2.5-7B, or a run directory of orz-rl."
        )
    _read_json(folder / "config.json")
    weights = _weight_files(folder)
    for file in weights:
        if file.suffix == ".safetensors":
            _check_safetensors(file)
    if not any((folder / file).is_file() for file in _TOKENIZER_FILES):
        raise ConfigError(
            f"{folder}: no tokenizer beside the weights; copy the tokenizer files of the base model there."
        )


def checkpoint_digest(folder: Path) -> str:
    """Sixteen hexadecimal digits: configuration and tokenizer whole, weights by size, header and spread samples.

    Reads about a MiB a weight file, so that a 64 GB checkpoint takes a second; any training step changes it.
    """
    digest = hashlib.sha256()
    small = [*folder.glob("*.json"), *folder.glob("*.jinja"), *folder.glob("*.model"), *folder.glob("*.txt")]
    for file in sorted(small):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for file in sorted(_weight_files(folder)):
        size = file.stat().st_size
        digest.update(f"{file.name}\0{size}\0".encode())
        with file.open("rb") as stream:
            for probe in range(_NUM_PROBES):
                stream.seek(size * probe // _NUM_PROBES)
                digest.update(stream.read(_PROBE_BYTES))
    return digest.hexdigest()[:16]


def _checkpoints_of_run(run: RunDir, *, engine: EngineName, step: int | None) -> list[Checkpoint]:
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
    if not manifest.exists():
        return checkpoint_digest(policy)
    return str(_read_json(manifest).get("digest") or checkpoint_digest(policy))


def _hub_snapshot(name: str) -> Path:
    if not _HUB_ID.fullmatch(name):
        raise ConfigError(
            f"--ckpt {name}: no such file or folder, and no hub id (OWNER/NAME). Wanted a Hugging Face checkpoint "
            f"folder, a hub id such as Qwen/Qwen2.5-7B, or a run directory of orz-rl."
        )
    from huggingface_hub import snapshot_download

    patterns = ["*.json", "*.safetensors", "*.model", "*.txt", "*.jinja"]
    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except Exception as error:  # whatever the hub's client raises, the user must know what to do
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ConfigError(
            f"--ckpt {name}: no such folder, and the hub did not give it ({reason}). Check the name and the network, "
            f"log in for a gated model, or name a local folder."
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = sorted(set(_read_json(index).get("weight_map", {}).values()))
        missing = [shard for shard in shards if not (folder / shard).is_file()]
        if missing or not shards:
            raise ConfigError(
                f"{folder}: half-written; {len(missing)} of {len(shards)} weight files are missing "
                f"({', '.join(missing[:3])}). Wait for the save or the download to finish, or repeat it."
            )
        _refuse_pickles(folder, [shard for shard in shards if not shard.endswith(".safetensors")])
        return [folder / shard for shard in shards]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    _refuse_pickles(folder, sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern)))
    raise ConfigError(
        f"{folder}: no weights (model.safetensors or its shards); wait for the save to finish, or repeat it."
    )


def _refuse_pickles(folder: Path, names: list[str]) -> None:
    if names:
        raise ConfigError(
            f"{folder}: its weights are pickles ({', '.join(names[:3])}), which are programs; wanted safetensors. "
            f"Convert them where you trust them: load with transformers and save_pretrained() into another folder."
        )


def _check_safetensors(file: Path) -> None:
    size = file.stat().st_size
    try:
        with file.open("rb") as stream:
            (header_size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(header_size)) if header_size < size else {}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        wanted = 8 + header_size + max(ends, default=0)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: not a whole safetensors file; save or download it again.") from error
    if wanted != size:
        raise ConfigError(
            f"{file}: half-written; it holds {size:,} bytes of {wanted:,}. Wait for the save or the download to "
            f"finish, or repeat it."
        )


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigError(
            f"{path}: broken JSON ({error}); half-written? Save or download the checkpoint again."
        ) from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: holds a {type(value).__name__}, wanted a JSON object; save the checkpoint again.")
    return value
