"""Small safetensors files, written by hand: any bytes, and faults that no library would write."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def write_safetensors(file: Path, tensors: Mapping[str, bytes]) -> Path:
    """One-dimensional tensors of bytes, by name."""
    entries, at = {}, 0
    for name, content in tensors.items():
        entries[name] = {"dtype": "U8", "shape": [len(content)], "data_offsets": [at, at + len(content)]}
        at += len(content)
    header = json.dumps(entries).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(tensors.values()))
    return file


def save(folder: Path, tensors: Mapping[str, Array], *, dtype: str = "F32") -> Path:
    """A checkpoint of numbers; BF16 keeps the upper half of each float32."""
    folder.mkdir(parents=True)
    entries, parts, at = {}, [], 0
    for name, values in tensors.items():
        raw = values.astype("<f4")
        content = (raw.view("<u4") >> 16).astype("<u2").tobytes() if dtype == "BF16" else raw.tobytes()
        entries[name] = {"dtype": dtype, "shape": list(values.shape), "data_offsets": [at, at + len(content)]}
        parts.append(content)
        at += len(content)
    header = json.dumps(entries).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + b"".join(parts))
    return folder
