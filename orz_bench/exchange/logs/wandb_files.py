"""Weights & Biases' `.wandb` files, as offline runs leave them: read without its library.

LevelDB's log format (records in fragments within blocks of 32 KiB, behind a header of 7 bytes) of protocol buffers
`Record`: history = 2 (item = 1: key = 1, nested_key = 2, value_json = 16; step = 2: num = 1), metric = 12 (step_metric
= 4), run = 17 (run_id = 1, project = 3, display_name = 8). Written by versions 0.12 to 0.31
(wandb/proto/wandb_internal.proto).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from orz_bench.exchange.logs.wire import fields

_BLOCK, _FILE_HEAD = 32 * 1024, 7
_HEAD = struct.Struct("<IHB")
_FULL, _FIRST, _LAST = 1, 2, 4
_HISTORY, _METRIC, _RUN = 2, 12, 17


@dataclass
class WandbRun:
    """What a file holds."""

    name: str = ""
    project: str = ""
    history: list[dict[str, Any]] = field(default_factory=list)
    """Rows as they were logged, each with `_step`."""
    step_metrics: set[str] = field(default_factory=set)
    """What define_metric declared as the step of others."""
    is_whole: bool = True
    """Whether the last record has its end."""


def read_run(content: bytes) -> WandbRun:
    """The run in a file."""
    run = WandbRun()
    for record in _records(content, run):
        for number, value in fields(record):
            if number == _HISTORY and isinstance(value, bytes):
                run.history.append(_history(value))
            elif number == _METRIC and isinstance(value, bytes):
                parts = (part for at, part in fields(value) if at == 4 and isinstance(part, bytes) and part)
                run.step_metrics.update(part.decode(errors="replace") for part in parts)
            elif number == _RUN and isinstance(value, bytes):
                names = {at: part.decode(errors="replace") for at, part in fields(value) if isinstance(part, bytes)}
                run.name, run.project = names.get(8) or names.get(1, ""), names.get(3, "")
    return run


def _records(content: bytes, run: WandbRun) -> Iterator[bytes]:
    place, waiting = _FILE_HEAD, b""
    while place < len(content):
        left = _BLOCK - place % _BLOCK
        if left < _HEAD.size:
            place += left
            continue
        if place + _HEAD.size > len(content):
            run.is_whole = False
            return
        _, length, kind = _HEAD.unpack_from(content, place)
        place += _HEAD.size
        piece = content[place : place + length]
        place += length
        if kind == 0 and length == 0:  # what is left of a block, or of a file that was to grow
            continue
        if len(piece) < length:
            run.is_whole = False
            return
        waiting = piece if kind in (_FULL, _FIRST) else waiting + piece
        if kind in (_FULL, _LAST):
            yield waiting


def _history(value: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for number, part in fields(value):
        if number == 1 and isinstance(part, bytes):
            row |= _item(part)
        elif number == 2 and isinstance(part, bytes):
            row["_step"] = next((step for at, step in fields(part) if at == 1), 0)
    return row


def _item(item: bytes) -> dict[str, Any]:
    keys: list[str] = []
    value: Any = None
    for number, part in fields(item):
        if number in (1, 2) and isinstance(part, bytes):
            keys.append(part.decode(errors="replace"))
        elif number == 16 and isinstance(part, bytes):
            value = _json(part)
    return {".".join(keys): value} if keys else {}


def _json(part: bytes) -> Any:
    try:
        return json.loads(part)
    except (ValueError, RecursionError):
        return None
