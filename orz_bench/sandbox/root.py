"""Separate namespaces, and a root that contains Python, three streams, an empty folder, and nothing else.

/dev    program and stdin (files), stdout and stderr (FIFOs), null, zero, urandom, random; read-only as a mount
/tmp    the private folder: in memory, at most 64 MiB, replaced after a program has changed it
the folders of Python and of shared libraries, bound read-only at their paths; /site with packages such as numpy
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from orz_bench.sandbox import linux

_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random")
_NOT_PROCESSES = linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWUTS | linux.CLONE_NEWNET
FILES, FIFOS = ("program", "stdin"), ("stdout", "stderr")
SITE = "/site"
NOBODY = 65534


def identity_of_programs() -> int | None:
    """The user and group of programs: nobody if this process is root; otherwise None, its own."""
    return NOBODY if os.getuid() == 0 else None


def enter_namespaces() -> None:
    """Leave the namespaces of the parent; the next child is the first process of a new one. OSError if refused.

    Root needs no user namespace, and its programs become nobody on the whole machine; other users are root of their own
    namespace while the rest is set up.
    """
    user, group = os.getuid(), os.getgid()
    if user == 0:
        linux.unshare(_NOT_PROCESSES | linux.CLONE_NEWPID)
        return
    linux.unshare(_NOT_PROCESSES | linux.CLONE_NEWPID | linux.CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path(f"/proc/self/{name}").write_text(text, encoding="ascii")


def readable_paths() -> list[str]:
    """Folders of this Python and of the shared libraries that it may load; links are kept."""
    python = [str(Path(sys.base_prefix) / "lib"), *(path for path in sys.path if Path(path).is_dir())]
    found = [path for path in (*_LIBRARIES, *python) if Path(path).exists()]
    return [path for path in dict.fromkeys(found) if not _is_inside(path, found)]


def require_readable_by(identity: int | None) -> None:
    """Raise OSError if programs could not read Python's library; in a separate root they always can."""
    if identity is None:
        return
    child = os.fork()
    if not child:
        os.setresgid(*[identity] * 3)
        os.setresuid(*[identity] * 3)
        os._exit(0 if os.access(os.__file__, os.R_OK) else 1)
    _, status = os.waitpid(child, 0)
    if status:
        raise OSError(f"{Path(os.__file__).parent} is readable by root only, and programs never run as root")


def make_streams(folder: Path) -> None:
    """Open the program, and its three streams as files that it can also open by name."""
    folder.chmod(0o755)
    for name in FILES:
        (folder / name).touch()
        (folder / name).chmod(0o644)
    for name in FIFOS:
        os.mkfifo(folder / name)
        (folder / name).chmod(0o622)


def make_root(at: Path, packages: Iterable[str]) -> list[int]:
    """Turn the folder `at` into this process's root. Descriptors: as open_streams()."""
    linux.mount("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    _tmpfs(at, size="1m", mode="755")
    for path in readable_paths():
        _bind(path, f"{at}{path}")
    for package in packages:
        _bind(package, f"{at}{SITE}/{Path(package).name}")
    (at / "tmp").mkdir()
    (at / "streams").mkdir()
    (at / "dev").mkdir()
    _tmpfs(at / "streams", size="1g", mode="755")
    make_streams(at / "streams")
    for path in _DEVICES:
        (at / "streams" / Path(path).name).touch()
    linux.mount(str(at / "streams"), str(at / "dev"), flags=linux.MS_BIND)
    for path in _DEVICES:
        linux.mount(path, f"{at}{path}", flags=linux.MS_BIND)
        _make_read_only(f"{at}{path}")  # writing to a device stays possible, changing its permissions does not
    streams = open_streams(at / "streams")
    _make_read_only(str(at / "dev"))
    linux.umount(str(at / "streams"))
    (at / "streams").rmdir()
    _make_read_only(str(at))
    os.chdir(at)
    linux.syscall("pivot_root", b".", b".")
    linux.umount(".")
    os.chdir("/")
    renew_private_folder(is_new=True)
    return streams


def link_packages(folder: Path, packages: Iterable[str]) -> str:
    """A folder with links to only these packages, for a process that stays in the machine's own file system."""
    site = folder / "site"
    site.mkdir(mode=0o755)
    for package in packages:
        (site / Path(package).name).symlink_to(package)
    return str(site)


def open_streams(folder: Path) -> list[int]:
    """Descriptors for the grader: program and stdin to write to, stdout and stderr to read from.

    A FIFO that is also open for writing here never reports end of file.
    """
    flags = dict.fromkeys(FILES, os.O_RDWR) | dict.fromkeys(FIFOS, os.O_RDWR | os.O_NONBLOCK)
    return [os.open(folder / name, flag | os.O_CLOEXEC) for name, flag in flags.items()]


def private_folder() -> tuple[object, ...]:
    """Values that change when anything is created in /tmp, even briefly: its size counts the entries."""
    found = os.stat("/tmp")  # noqa: S108, PTH116
    return (found.st_size, found.st_dev, found.st_mode, found.st_mtime_ns, found.st_ctime_ns)


def renew_private_folder(*, is_new: bool = False) -> None:
    """An empty /tmp."""
    if not is_new:
        linux.umount("/tmp")  # noqa: S108  # this root's own
    owner = identity_of_programs()
    mode = "700" if owner is None else f"700,uid={owner},gid={owner}"
    _tmpfs(Path("/tmp"), size="64m", mode=mode)  # noqa: S108


def open_last_pid() -> int | None:
    """A descriptor for setting the number of the last process; None if the kernel has no such file."""
    try:
        return os.open("/proc/sys/kernel/ns_last_pid", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return None


def can_have_user_namespaces() -> bool:
    """Whether a program's process can have its own user namespace, under its user id."""
    child = os.fork()
    if not child:
        identity = identity_of_programs()
        try:
            if identity is not None:
                os.setgroups([])
                os.setresgid(*[identity] * 3)
                os.setresuid(*[identity] * 3)
            linux.unshare(linux.CLONE_NEWUSER)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _tmpfs(at: Path, *, size: str, mode: str) -> None:
    flags = linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC
    linux.mount("tmpfs", str(at), kind="tmpfs", flags=flags, options=f"size={size},nr_inodes=4096,mode={mode}")


def _bind(source: str, target: str) -> None:
    """Bind a file or folder read-only at another path; a link is recreated."""
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_symlink():
        Path(target).symlink_to(Path(source).readlink())
        return
    if Path(source).is_dir():
        Path(target).mkdir(exist_ok=True)
    else:
        Path(target).touch()
    linux.mount(source, target, flags=linux.MS_BIND | linux.MS_REC)
    _make_read_only(target)


def _make_read_only(target: str) -> None:
    """Flags inherited from a more privileged parent must be kept, or the kernel refuses."""
    found = os.statvfs(target).f_flag
    names = ("NOSUID", "NODEV", "NOEXEC", "NOATIME", "NODIRATIME", "RELATIME")
    kept = sum(getattr(linux, f"MS_{name}") for name in names if found & getattr(os, f"ST_{name}"))
    flags = linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY | linux.MS_NOSUID
    linux.mount("none", target, flags=flags | kept)


def _is_inside(path: str, others: Iterable[str]) -> bool:
    return any(other != path and Path(path).is_relative_to(other) and not Path(path).is_symlink() for other in others)
