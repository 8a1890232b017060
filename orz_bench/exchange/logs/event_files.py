"""TensorBoard's event files, read without a library: records of a length, checksums, and a protocol buffer `Event`.

Only scalars are returned. The format: https://www.tensorflow.org/tutorials/load_data/tfrecord and
tensorflow/core/util/event.proto (Event: step = 2, summary = 5; Value: tag = 1, simple_value = 2, tensor = 8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from orz_bench.exchange.logs.line import Line
from orz_bench.exchange.logs.wire import fields

_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")


@dataclass(frozen=True, slots=True)
class Scalar:
    """One point of a curve."""

    step: int
    tag: str
    value: float


def line_of(scalar: Scalar) -> Line:
    """What it says about a step."""
    is_side = scalar.tag.startswith(("eval/", "val-", "val/"))
    return Line(scalar.step, {scalar.tag: scalar.value}, is_side=is_side)


def scalars(content: bytearray) -> Iterator[Scalar]:
    """The scalars in the whole records at the start of the content, which are taken from it.

    It ends before a record that is not whole, or whose checksum is wrong: on a network disk a part that has not
    arrived may read as zeros.
    """
    place = 0
    try:
        while (end := _end(content, place)) is not None:
            event = bytes(content[place + _HEAD.size : end - _FOOT.size])
            place = end
            yield from _of_event(event)
    finally:
        del content[:place]


def _end(content: bytearray, place: int) -> int | None:
    """Where the record ends that begins at this place; None if it is not whole."""
    if len(content) < place + _HEAD.size:
        return None
    length, checksum = _HEAD.unpack_from(content, place)
    end = place + _HEAD.size + length + _FOOT.size
    if _masked(bytes(content[place : place + 8])) != checksum or len(content) < end:
        return None
    payload = bytes(content[place + _HEAD.size : end - _FOOT.size])
    return int(end) if _masked(payload) == _FOOT.unpack_from(content, end - _FOOT.size)[0] else None


@cache
def _table() -> tuple[int, ...]:
    """Of CRC-32C (Castagnoli), which zlib does not have."""

    def entry(value: int) -> int:
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        return value

    return tuple(entry(value) for value in range(256))


def _masked(data: bytes) -> int:
    table, found = _table(), 0xFFFFFFFF
    for byte in data:
        found = (found >> 8) ^ table[(found ^ byte) & 0xFF]
    found ^= 0xFFFFFFFF
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _of_event(event: bytes) -> Iterator[Scalar]:
    step, summaries = 0, []
    for field, value in fields(event):
        if field == 2 and isinstance(value, int):
            step = value
        elif field == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for field, value in fields(summary):
            if field == 1 and isinstance(value, bytes):
                yield from _of_value(value, step)


def _of_value(value: bytes, step: int) -> Iterator[Scalar]:
    tag, found = "", None
    for field, part in fields(value):
        if field == 1 and isinstance(part, bytes):
            tag = part.decode("utf-8", errors="replace")
        elif field == 2 and isinstance(part, float):
            found = part
        elif field == 8 and isinstance(part, bytes):
            found = _of_tensor(part)
    if found is not None:
        yield Scalar(step, tag, found)


def _of_tensor(tensor: bytes) -> float | None:
    """The only number of a tensor of type float (1) or double (2): dtype = 1, tensor_content = 4, float_val = 5."""
    kind, found = 0, None
    for field, value in fields(tensor):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field in {5, 6} and isinstance(value, float):
            found = value
        elif field in {4, 5, 6} and isinstance(value, bytes):
            unpack = {(1, 4): _FLOAT, (2, 8): _DOUBLE}.get((kind, len(value)))
            found = float(unpack.unpack(value)[0]) if unpack else found
    return found
