"""Tensors of two checkpoints side by side: which there are, and one pair at a time as numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orz_bench.errors import DataError, counted
from orz_bench.models.weights import EMBEDDINGS, StoredTensor, is_same_content, stored_tensors
from orz_bench.records.run_dir import RunDir

Array = np.ndarray[Any, np.dtype[np.float32]]
_TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_MOST_NAMED = 3
_HEAD = "lm_head.weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorPair:
    """The same tensor of two checkpoints."""

    name: str
    a: StoredTensor
    b: StoredTensor


def checkpoint_folder(given: str) -> Path:
    """A folder with weights, or RUN@STEP for the policy of a run's checkpoint. DataError for anything else."""
    name, at, step = given.rpartition("@")
    if at and step.isdecimal() and RunDir(Path(name)).exists():
        known = dict(RunDir(Path(name)).checkpoints())
        if int(step) not in known:
            have = ", ".join(map(str, known)) or "none"
            raise DataError(f"{name}: no checkpoint of step {step}; it has {have}.")
        return known[int(step)]
    path = Path(given)
    if RunDir(path).exists():
        raise DataError(f"{given}: is a run; name one of its checkpoints as {given}@STEP, or a folder with weights.")
    if not path.is_dir():
        raise DataError(f"{given}: no such folder; name a folder with safetensors weights, or RUN@STEP.")
    return path


def tensor_pairs(a: Path, b: Path) -> list[TensorPair]:
    """By name. DataError if the two do not have the same tensors in the same shapes, with what differs."""
    of_a, of_b = _without_tied_head(stored_tensors(a)), _without_tied_head(stored_tensors(b))
    faults = []
    for folder, only in ((a, sorted(of_a.keys() - of_b.keys())), (b, sorted(of_b.keys() - of_a.keys()))):
        if only:
            faults.append(f"only {folder} has {_named(only)}")
    reshaped = [name for name in sorted(of_a.keys() & of_b.keys()) if of_a[name].shape != of_b[name].shape]
    if reshaped:
        first = reshaped[0]
        more = f" and {counted(len(reshaped) - 1, 'other tensor')}" if len(reshaped) > 1 else ""
        faults.append(f"{first} has shape {_shape(of_a[first])} in {a} and {_shape(of_b[first])} in {b}{more}")
    if faults:
        raise DataError(f"{a} and {b} are not checkpoints of one model: {'; '.join(faults)}. Compare two of one model.")
    unread = sorted({each.dtype for one in (of_a, of_b) for each in one.values()} - _TYPES.keys())
    if unread:
        raise DataError(
            f"{a} or {b}: holds numbers of type {', '.join(unread)}, wanted {', '.join(_TYPES)}; compare the "
            f"checkpoints before they were quantised."
        )
    return [TensorPair(name=name, a=of_a[name], b=of_b[name]) for name in of_a]


def _without_tied_head(tensors: dict[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Without a head that repeats the input embeddings: some tools save it, others leave it out."""
    heads = [name for name in tensors if name.endswith(_HEAD)]
    embeddings = [name for name in tensors if name.endswith(EMBEDDINGS)]
    tied = {head for head in heads for name in embeddings if is_same_content(tensors[head], tensors[name])}
    return {name: tensor for name, tensor in tensors.items() if name not in tied}


def read_tensor(tensor: StoredTensor) -> Array:
    """Its numbers as float32, which holds those of smaller types exactly."""
    kind = np.dtype(_TYPES[tensor.dtype])
    with tensor.file.open("rb") as file:
        file.seek(tensor.start)
        raw = np.fromfile(file, dtype=kind, count=(tensor.end - tensor.start) // kind.itemsize)
    if tensor.dtype == "BF16":
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    found: Array = raw.astype(np.float32, copy=False).reshape(tensor.shape)
    return found


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED:,} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _shape(tensor: StoredTensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "()"
