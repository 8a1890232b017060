"""System calls that Python's standard library does not offer, through libc. Each raises OSError with its name."""

from __future__ import annotations

import ctypes
import os
import platform

libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
_with_the_interpreter_locked = ctypes.PyDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
MS_NOATIME, MS_NODIRATIME, MS_RELATIME = 1024, 2048, 1 << 21
MNT_DETACH = 2

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
SECCOMP_MODE_FILTER = 2
RLIMIT_SIGPENDING = 11

_NUMBERS = {  # x86_64, aarch64
    "pivot_root": (155, 41),
    "landlock_create_ruleset": (444, 444),
    "landlock_add_rule": (445, 445),
    "landlock_restrict_self": (446, 446),
}
_MACHINES = ("x86_64", "aarch64")
MACHINE = _MACHINES.index(platform.machine()) if platform.machine() in _MACHINES else None
"""This machine's column in the tables of system calls; None: neither."""


def unshare(flags: int) -> None:
    """Replace namespaces of the parent by new ones."""
    _check(libc.unshare(flags), "unshare")


def mount(source: str, target: str, *, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Attach a file system, or change how one is attached."""
    _check(libc.mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()), f"mount {target}")


def umount(target: str) -> None:
    """Detach a mount at once; it is removed when it is no longer in use."""
    _check(libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


def prctl(option: int, *arguments: int) -> None:
    """Change an attribute of this process."""
    if libc.prctl(option, *(*arguments, 0, 0, 0, 0)[:4]):
        _check(-1, f"prctl {option}")


def syscall(name: str, *arguments: int | ctypes.Array[ctypes.c_char] | bytes | None) -> int:
    """Make a system call that has no wrapper in libc. Returns its value."""
    if MACHINE is None:
        raise OSError(f"{name}: only known for {' and '.join(_MACHINES)}")
    plain = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    value: int = libc.syscall(ctypes.c_long(_NUMBERS[name][MACHINE]), *plain)
    return _check(value, name)


_CAPABILITIES_OF_SELF = ctypes.create_string_buffer(bytes.fromhex("22050820") + bytes(4), 8)
"""Version 3, this process."""
_NO_CAPABILITIES = ctypes.create_string_buffer(24)


def drop_capabilities() -> None:
    """Drop every capability irrevocably: nothing is executed afterwards."""
    _check(libc.capset(_CAPABILITIES_OF_SELF, _NO_CAPABILITIES), "capset")


def fork() -> int:
    """As os.fork(), for a process without threads: Python's handling of threads after a fork copies 170 pages."""
    pid: int = _with_the_interpreter_locked.fork()
    return _check(pid, "fork")


def _check(value: int, what: str) -> int:
    if value < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return value
