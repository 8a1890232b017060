"""What the sandbox says about itself, and when it refuses; the filter of system calls as numbers."""

from __future__ import annotations

import struct

import pytest

from orz_bench.sandbox import seccomp
from orz_bench.sandbox.limits import Isolation
from orz_bench.sandbox.linux import MACHINE
from orz_bench.sandbox.syscalls import ALLOWED

ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026


@pytest.mark.parametrize(
    ("namespaces", "has_filter", "landlock", "adequate"),
    [
        (True, True, 7, True),
        (True, True, 0, True),
        (False, True, 1, True),
        (False, True, 0, False),
        (True, False, 7, False),
    ],
)
def test_what_is_adequate(namespaces: bool, has_filter: bool, landlock: int, adequate: bool) -> None:
    isolation = Isolation(namespaces=namespaces, seccomp=has_filter, landlock=landlock, user="nobody")
    assert isolation.is_adequate == adequate
    assert ("without" in str(isolation)) == (not (namespaces and has_filter and landlock))


def verdict(number: int, *arguments: int, architecture: int = 0xC000003E) -> int:
    """What the filter answers, by an interpreter of its own for the few instructions that it is made of."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(*arguments, 0, 0, 0, 0, 0, 0)[:6])
    code = list(struct.iter_unpack("=HBBI", seccomp.assemble()))
    position, accumulator = 0, 0
    for _ in range(1000):
        operation, if_true, if_false, value = code[position]
        position += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif operation == 0x06:
            return int(value)
        elif operation == 0x54:
            accumulator &= value
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            position += if_true if holds else if_false
    raise AssertionError("the filter does not end")


on_x86_64 = pytest.mark.skipif(MACHINE != 0, reason="the numbers are those of x86_64")


@on_x86_64
def test_the_filter_allows_what_is_listed_and_nothing_else() -> None:
    allowed = {numbers[0] for numbers in ALLOWED.values()} - {None}
    by_argument = {16, 157, 53, 44, 302, 62, 234, 72, 56, 435}
    for number in range(600):
        if number not in by_argument:
            assert verdict(number) == (ALLOW if number in allowed else EPERM), number


@on_x86_64
@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ((56, 0x10000), ALLOW),  # clone: a thread
        ((56, 17), EPERM),  # clone: a process
        ((56, 0x10000000), EPERM),  # clone: a namespace
        ((57,), EPERM),  # fork
        ((59,), EPERM),  # execve
        ((101,), EPERM),  # ptrace
        ((41, 2), EPERM),  # socket
        ((435,), ENOSYS),  # clone3
        ((53, 1, 1), ALLOW),  # socketpair: AF_UNIX, SOCK_STREAM
        ((53, 1, 1 | 0x80000 | 0x800), ALLOW),  # with SOCK_CLOEXEC and SOCK_NONBLOCK
        ((53, 2, 1), EPERM),  # socketpair: AF_INET
        ((53, 1, 2), EPERM),  # SOCK_DGRAM: sends to any name
        ((53, 1, 2 | 0x80000), EPERM),
        ((53, 1, 3), EPERM),  # SOCK_RAW, which is a datagram socket
        ((53, 1, 5), EPERM),  # SOCK_SEQPACKET
        ((44, 5, 0x1000, 3, 0, 0, 0), ALLOW),  # sendto: to the other end
        ((44, 5, 0x1000, 3, 0, 0x2000, 10), EPERM),  # to a name
        ((44, 5, 0x1000, 3, 0, 0x2000 << 32, 10), EPERM),
        ((307, 5), EPERM),  # sendmmsg
        ((222, 0), EPERM),  # timer_create: as many as one likes
        ((16, 1, 0x5401), ALLOW),  # ioctl: TCGETS
        ((16, 1, 0x5412), EPERM),  # ioctl: TIOCSTI
        ((72, 0, 8), EPERM),  # fcntl: F_SETOWN
        ((302, 0), ALLOW),  # prlimit64: of itself
        ((302, 1), EPERM),  # prlimit64: of another
        ((62, 1, 9), EPERM),  # kill
        ((90,), EPERM),  # chmod
        ((0x40000000 + 1,), KILL),  # write, in the x32 way
    ],
)
def test_calls(call: tuple[int, ...], wanted: int) -> None:
    assert verdict(*call) == wanted


@on_x86_64
def test_another_architecture_is_killed() -> None:
    assert verdict(1, architecture=0x40000003) == KILL
