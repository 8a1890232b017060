"""Messages between the grader and a supervisor: a length and a line of JSON, with optional file descriptors."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

_HEAD = struct.Struct("=I")
MARK_BYTES = 16
"""Length of the random word that the supervisor writes after the output of a test, before the next one starts."""
CPU_S = struct.Struct("=d")
"""Follows the word on standard output: the CPU seconds of the test."""


def send(connection: socket.socket, message: dict[str, Any], *, descriptors: Sequence[int] = ()) -> None:
    """Send one message."""
    content = json.dumps(message).encode()
    head = _HEAD.pack(len(content))
    if descriptors:
        socket.send_fds(connection, [head], list(descriptors))
        connection.sendall(content)
    else:
        connection.sendall(head + content)


def receive(connection: socket.socket) -> dict[str, Any] | None:
    """The next message; None if the other side has closed."""
    head = _exactly(connection, _HEAD.size)
    return None if head is None else _body(connection, head)


def receive_with_descriptors(connection: socket.socket, num: int) -> tuple[dict[str, Any] | None, list[int]]:
    """The next message and its descriptors."""
    head, descriptors, _, _ = socket.recv_fds(connection, _HEAD.size, num)
    return (_body(connection, head) if len(head) == _HEAD.size else None), list(descriptors)


def _body(connection: socket.socket, head: bytes) -> dict[str, Any] | None:
    content = _exactly(connection, _HEAD.unpack(head)[0])
    message: dict[str, Any] | None = None if content is None else json.loads(content)
    return message


def _exactly(connection: socket.socket, num_bytes: int) -> bytes | None:
    received = bytearray()
    while len(received) < num_bytes:
        chunk = connection.recv(min(1 << 20, num_bytes - len(received)))
        if not chunk:
            return None
        received += chunk
    return bytes(received)
