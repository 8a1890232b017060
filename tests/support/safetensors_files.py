"""Small safetensors files, written by hand: any bytes, and faults that no library would write."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path


def write_safetensors(file: Path, tensors: Mapping[str, bytes]) -> Path:
    """One-dimensional tensors of bytes, by name."""
    entries, at = {}, 0
    for name, content in tensors.items():
        entries[name] = {"dtype": "U8", "shape": [len(content)], "data_offsets": [at, at + len(content)]}
        at += len(content)
    header = json.dumps(entries).encode()
    file.write_bytes(struct.pack("<Q", len(header)) + header + b"".join(tensors.values()))
    return file
