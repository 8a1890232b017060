"""The wire format of protocol buffers, read without a library: fields by number.

https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_FLOAT, _DOUBLE = struct.Struct("<f"), struct.Struct("<d")
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
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
