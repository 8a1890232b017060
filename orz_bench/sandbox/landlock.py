"""Landlock: restrict the files that a process may open, whoever owns them, in addition to everything else."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable

from orz_bench.sandbox.linux import PR_SET_NO_NEW_PRIVS, prctl, syscall

_VERSION_FLAG, _PATH_BENEATH = 1, 1
_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_DEVICES = 1 << 6 | 1 << 11
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_FILE_RIGHTS = 1 | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_NUM_FS_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
"""Rights by version; 16 from version 5 on."""
_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


def version() -> int:
    """Version of the kernel's Landlock; 0 if it has none."""
    try:
        return syscall("landlock_create_ruleset", None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def ruleset(*, readable: Iterable[str], writable: Iterable[str], folder: str | None) -> int:
    """A descriptor of rules: paths to read, to write to, and a `folder` in which files may be created and removed."""
    found = version()
    rights = (1 << _NUM_FS_RIGHTS.get(found, 16)) - 1
    attributes = struct.pack("=Q", rights)
    attributes += struct.pack("=Q", _BIND_AND_CONNECT) if found >= 4 else b""
    attributes += struct.pack("=Q", _ABSTRACT_SOCKETS_AND_SIGNALS) if found >= 6 else b""
    rules = syscall(
        "landlock_create_ruleset", ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0
    )
    grants = [(path, _READ_FILE | _READ_DIR) for path in readable]
    grants += [(path, _READ_FILE | _WRITE_FILE | _TRUNCATE) for path in writable]
    grants += [(folder, rights & ~_DEVICES)] if folder is not None else []
    for path, access in grants:
        _grant(rules, path, access=access & rights)
    return rules


def restrict(rules: int) -> None:
    """Enforce the rules for this process, irrevocably."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    syscall("landlock_restrict_self", rules, 0)


def _grant(rules: int, path: str, *, access: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        access &= -1 if os.path.isdir(path) else _FILE_RIGHTS  # noqa: PTH112  # as light as can be
        attribute = struct.pack("=Qi", access, descriptor)
        syscall("landlock_add_rule", rules, _PATH_BENEATH, ctypes.create_string_buffer(attribute, len(attribute)), 0)
    finally:
        os.close(descriptor)
