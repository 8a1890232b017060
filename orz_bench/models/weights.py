"""The files with a checkpoint's weights, and the tensors in them. Reads headers, never tensors."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orz_bench.errors import ConfigError, counted
from orz_bench.models.json_file import read_object
from orz_bench.records.regular import require_regular

INDEX = "model.safetensors.index.json"
SINGLE = "model.safetensors"
EMBEDDINGS = ("embed_tokens.weight", "wte.weight")
"""How the names of input embeddings end."""
_MAX_HEADER = 100_000_000
"""Bytes; safetensors itself takes no longer one."""
_BLOCK = 1 << 24
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor of a safetensors file."""

    file: Path
    dtype: str
    """As safetensors names it: F32, BF16, ..."""
    shape: tuple[int, ...]
    start: int
    """Its first byte in the file."""
    end: int
    """The byte after its last."""


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that make up the model, by name. ConfigError if they are not all there, or ambiguous."""
    index, single = folder / INDEX, folder / SINGLE
    if not index.is_file():
        if single.is_file():
            return [single]
        _refuse_pickles(folder, sorted(path.name for pattern in _PICKLED for path in folder.glob(pattern)))
        raise ConfigError(f"{folder}: no weights ({SINGLE} or its shards); wait for the save to finish, or repeat it.")
    shards = sorted(set(_weight_map(index).values()))
    missing = [shard for shard in shards if not (folder / shard).is_file()]
    if missing or not shards:
        raise ConfigError(
            f"{folder}: half-written; {len(missing)} of {counted(len(shards), 'weight file')} missing "
            f"({', '.join(missing[:3])}). Wait for the save or the download to finish, or repeat it."
        )
    _refuse_pickles(folder, [shard for shard in shards if not shard.endswith(".safetensors")])
    if single.is_file() and SINGLE not in shards:
        raise ConfigError(
            f"{folder}: holds two sets of weights, {SINGLE} and the {counted(len(shards), 'file')} of {INDEX}; engines "
            f"differ in which of them they read. Remove the one that is not this model's."
        )
    return [folder / shard for shard in shards]


def stored_tensors(folder: Path) -> dict[str, StoredTensor]:
    """Every tensor of the model by name. ConfigError for a cut file, and where index and files disagree."""
    found: dict[str, StoredTensor] = {}
    for file in weight_files(folder):
        for name, tensor in read_header(file).items():
            if name in found:
                raise ConfigError(
                    f"{folder}: the tensor {name} is in {found[name].file.name} and in {file.name}; save the "
                    f"checkpoint again into an empty folder."
                )
            found[name] = tensor
    if (folder / INDEX).is_file():
        _compare_with_index(folder, found)
    return found


def read_header(file: Path) -> dict[str, StoredTensor]:
    """The tensors of one safetensors file by name. ConfigError unless the file is whole."""
    try:
        require_regular(file)
        size = file.stat().st_size
        with file.open("rb") as stream:
            (header_size,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(header_size)) if header_size < min(size, _MAX_HEADER) else {}
        tensors = {
            name: _tensor(file, entry, offset=8 + header_size)
            for name, entry in header.items()
            if name != "__metadata__"
        }
    except (OSError, struct.error, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ConfigError(f"{file}: not a whole safetensors file ({error}); save or download it again.") from error
    wanted = max((tensor.end for tensor in tensors.values()), default=8 + header_size)
    if wanted != size:
        raise ConfigError(
            f"{file}: half-written; it holds {size:,} bytes of {wanted:,}. Wait for the save or the download to "
            f"finish, or repeat it."
        )
    return tensors


def is_same_content(one: StoredTensor, other: StoredTensor) -> bool:
    """True if two tensors are equal, byte by byte."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    with one.file.open("rb") as first, other.file.open("rb") as second:
        first.seek(one.start)
        second.seek(other.start)
        left = one.end - one.start
        while left > 0:
            size = min(left, _BLOCK)
            if first.read(size) != second.read(size):
                return False
            left -= size
    return True


def _tensor(file: Path, entry: Mapping[str, Any], *, offset: int) -> StoredTensor:
    start, end = entry["data_offsets"]
    shape = tuple(int(size) for size in entry["shape"])
    return StoredTensor(file=file, dtype=str(entry["dtype"]), shape=shape, start=offset + start, end=offset + end)


def _weight_map(index: Path) -> dict[str, str]:
    found = read_object(index).get("weight_map")
    if not isinstance(found, dict) or not all(isinstance(shard, str) for shard in found.values()):
        raise ConfigError(f"{index}: has no weight_map from tensors to files; save the checkpoint again.")
    outside = sorted({shard for shard in found.values() if Path(shard).name != shard})
    if outside:
        raise ConfigError(f"{index}: names a file outside its folder ({outside[0]}); save the checkpoint again.")
    return found


def _compare_with_index(folder: Path, found: Mapping[str, StoredTensor]) -> None:
    wanted = _weight_map(folder / INDEX)
    lost = sorted(name for name in wanted if name not in found)
    extra = sorted(name for name in found if name not in wanted)
    if lost or extra:
        what = [f"{INDEX} names {_some(lost)}, which no file holds"] if lost else []
        what += [f"the files hold {_some(extra)}, which {INDEX} does not name"] if extra else []
        raise ConfigError(
            f"{folder}: index and weight files do not belong together: {'; '.join(what)}. Save or download it again."
        )


def _some(names: Sequence[str]) -> str:
    return f"{names[0]}" + (f" and {len(names) - 1} more tensors" if len(names) > 1 else "")


def _refuse_pickles(folder: Path, names: list[str]) -> None:
    if names:
        raise ConfigError(
            f"{folder}: its weights are pickles ({', '.join(names[:3])}), which are programs; wanted safetensors. "
            f"Convert them where you trust them: load with transformers and save_pretrained() into another folder."
        )
