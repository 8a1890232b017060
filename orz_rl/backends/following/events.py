"""TensorBoard's event files, read without a library: records of a length, checksums, and a protocol buffer `Event`.

Only scalars are returned. The format: https://www.tensorflow.org/tutorials/load_data/tfrecord and
tensorflow/core/util/event.proto (Event: step = 2, summary = 5; Value: tag = 1, simple_value = 2, tensor = 8).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")
_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class Scalar:
    """One point of a curve."""

    step: int
    tag: str
    value: float


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
    for field, value in _fields(event):
        if field == 2 and isinstance(value, int):
            step = value
        elif field == 5 and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for field, value in _fields(summary):
            if field == 1 and isinstance(value, bytes):
                yield from _of_value(value, step)


def _of_value(value: bytes, step: int) -> Iterator[Scalar]:
    tag, found = "", None
    for field, part in _fields(value):
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
    for field, value in _fields(tensor):
        if field == 1 and isinstance(value, int):
            kind = value
        elif field in {5, 6} and isinstance(value, float):
            found = value
        elif field in {4, 5, 6} and isinstance(value, bytes):
            unpack = {(1, 4): _FLOAT, (2, 8): _DOUBLE}.get((kind, len(value)))
            found = float(unpack.unpack(value)[0]) if unpack else found
    return found


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """(number, value) of the fields of a protocol buffer; a damaged one ends it."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        field, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield field, value
        elif kind == _FIXED32 and place + 4 <= len(message):
            yield field, float(_FLOAT.unpack_from(message, place)[0])
            place += 4
        elif kind == _FIXED64 and place + 8 <= len(message):
            yield field, float(_DOUBLE.unpack_from(message, place)[0])
            place += 8
        elif kind == _BYTES:
            length, place = _varint(message, place)
            yield field, message[place : place + length]
            place += length
        else:
            return


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message):
        byte = message[place]
        value, shift, place = value | (byte & 0x7F) << shift, shift + 7, place + 1
        if not byte & 0x80:
            break
    return value, place
