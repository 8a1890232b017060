"""The system calls that a program may make: a filter of Linux's seccomp, assembled by hand.

It allows what a computing Python program needs, and no more: any other call fails with EPERM, so the program gets an
OSError. There is no access to other processes (fork, execve, ptrace, process_vm_readv), to the network (socket),
to mounts, keys, namespaces, BPF, io_uring, or to memory that no limit counts (memfd_create, shmget). Nor may it change
a file by name in ways that Landlock does not check: chmod, chown, utimes, truncate, extended attributes.
"""

from __future__ import annotations

import ctypes
import struct
from itertools import pairwise

from orz_bench.sandbox.linux import MACHINE, PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, prctl
from orz_bench.sandbox.syscalls import ALLOWED

_AUDIT_ARCH = (0xC000003E, 0xC00000B7)
_NR, _ARCH, _ARGS = 0, 4, 16  # offsets in struct seccomp_data
_LOAD, _AND, _JEQ, _JSET, _JGE, _RET = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000
_EPERM, _ENOSYS = 0x00050000 | 1, 0x00050000 | 38
_X32_BIT = 0x40000000

_CLONE_THREAD = 0x00010000
_AF_UNIX, _SOCK_STREAM = 1, 1
_ANY_FLAGS = ~0x80800 & 0xFFFFFFFF  # SOCK_CLOEXEC and SOCK_NONBLOCK
_TERMINAL_AND_FLAGS = (
    0x5401,
    0x5413,
    0x541B,
    0x5421,
    0x5450,
    0x5451,
)  # TCGETS TIOCGWINSZ FIONREAD FIONBIO FIONCLEX FIOCLEX
_NAMES = (15, 16, 0x53564D41)  # PR_SET_NAME PR_GET_NAME PR_SET_VMA: names of threads and memory
_PID_MARK = 0xFFFFFFF0
"""Placeholder in the assembled filter for the process id, which is known only after the fork."""

_BY_ARGUMENT: dict[str, tuple[tuple[int, int], int, tuple[int, ...]]] = {
    # name: ((x86_64, aarch64), argument, its allowed values)
    "ioctl": ((16, 29), 1, _TERMINAL_AND_FLAGS),
    "prctl": ((157, 167), 0, _NAMES),
    "fcntl": ((72, 25), 1, (0, 1, 2, 3, 4, 1030, 1032)),  # without F_SETOWN and F_SETSIG, which send signals
    "prlimit64": ((302, 261), 0, (0, _PID_MARK)),
    "kill": ((62, 129), 0, (_PID_MARK,)),
    "tgkill": ((234, 131), 0, (_PID_MARK,)),
}
_CLONE, _CLONE3 = (56, 220), (435, 435)
_SOCKETPAIR, _SENDTO = (53, 199), (44, 206)


def is_supported() -> bool:
    """Whether the system calls of this architecture are listed here."""
    return MACHINE is not None


def assemble() -> bytes:
    """The filter, with a placeholder for the process id.

    A search tree over the numbers: the kernel runs a new filter on every number once, so a linear list would cost a
    program 0.8 ms.
    """
    assert MACHINE is not None
    blocks = {numbers[MACHINE]: _only(argument, values) for numbers, argument, values in _BY_ARGUMENT.values()}
    blocks |= {number: [_one(_RET, _ALLOW)] for numbers in ALLOWED.values() if (number := numbers[MACHINE]) is not None}
    blocks[_CLONE[MACHINE]] = _threads_only()
    blocks[_SOCKETPAIR[MACHINE]] = _connected_pairs_only()
    blocks[_SENDTO[MACHINE]] = _without_address()
    blocks[_CLONE3[MACHINE]] = [_one(_RET, _ENOSYS)]  # libc then uses clone, whose flags can be read
    blocks[_X32_BIT] = [_one(_RET, _KILL)]
    head = [
        _one(_LOAD, _ARCH),
        _one(_JEQ, _AUDIT_ARCH[MACHINE], if_true=1),
        _one(_RET, _KILL),
        _one(_LOAD, _NR),
    ]
    return b"".join([*head, *_tree(_intervals(blocks))])


def install(program: bytes, *, pid: int) -> None:
    """Confine this process and its children. Raises OSError if the kernel has no seccomp filters."""
    code = program.replace(struct.pack("=I", _PID_MARK), struct.pack("=I", pid))
    buffer = ctypes.create_string_buffer(code, len(code))
    descriptor = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    holder = ctypes.create_string_buffer(descriptor, len(descriptor))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(holder))


def _intervals(blocks: dict[int, list[bytes]]) -> list[tuple[int, list[bytes]]]:
    """(first number, action from there on) for all numbers: those between known ones are rejected."""
    refused = [_one(_RET, _EPERM)]
    intervals = [(0, refused)]
    for number, block in sorted(blocks.items()):
        after = [(number + 1, refused)] if number != _X32_BIT else []
        intervals = [*(pair for pair in intervals if pair[0] < number), (number, block), *after]
    merged = intervals[:1]
    merged += [pair for before, pair in pairwise(intervals) if pair[1] != before[1]]
    return merged


def _tree(intervals: list[tuple[int, list[bytes]]]) -> list[bytes]:
    """Bisect the intervals until one is left."""
    if len(intervals) == 1:
        return intervals[0][1]
    middle = len(intervals) // 2
    below = _tree(intervals[:middle])
    return [_one(_JGE, intervals[middle][0], if_true=len(below)), *below, *_tree(intervals[middle:])]


def _threads_only() -> list[bytes]:
    """clone() with CLONE_THREAD creates a thread, without it a process."""
    return [
        _one(_LOAD, _ARGS),
        _one(_JSET, _CLONE_THREAD, if_false=1),
        _one(_RET, _ALLOW),
        _one(_RET, _EPERM),
    ]


def _connected_pairs_only() -> list[bytes]:
    """AF_UNIX streams only: their peer is fixed. A datagram socket could send to any name."""
    return [
        _one(_LOAD, _ARGS),
        _one(_JEQ, _AF_UNIX, if_false=4),
        _one(_LOAD, _ARGS + 8),
        _one(_AND, _ANY_FLAGS),
        _one(_JEQ, _SOCK_STREAM, if_false=1),
        _one(_RET, _ALLOW),
        _one(_RET, _EPERM),
    ]


def _without_address() -> list[bytes]:
    """sendto() without a destination: both halves of the pointer are 0."""
    return [
        _one(_LOAD, _ARGS + 8 * 4),
        _one(_JEQ, 0, if_false=3),
        _one(_LOAD, _ARGS + 8 * 4 + 4),
        _one(_JEQ, 0, if_false=1),
        _one(_RET, _ALLOW),
        _one(_RET, _EPERM),
    ]


def _only(argument: int, values: tuple[int, ...]) -> list[bytes]:
    """One of these values in the low half of an argument, the only half that the kernel reads."""
    tests = [part for value in values for part in (_one(_JEQ, value, if_false=1), _one(_RET, _ALLOW))]
    return [_one(_LOAD, _ARGS + 8 * argument), *tests, _one(_RET, _EPERM)]


def _one(code: int, value: int, *, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction: its operation, instructions to skip if its test succeeds or fails, its constant."""
    return struct.pack("=HBBI", code, if_true, if_false, value)
