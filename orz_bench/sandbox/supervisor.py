"""The trusted process inside the sandbox: it runs programs one after another, each in a process of its own.

Started by orz_bench.sandbox.worker. It has no program, input or expected output in memory and decides no verdict; it
reports how a process ended. When its socket closes or its parent dies, it ends with everything in its process
namespace.
"""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import re
import select
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from orz_bench.sandbox import landlock, linux, root, seccomp
from orz_bench.sandbox.limits import Isolation, Limits
from orz_bench.sandbox.messages import CPU_S, receive, send
from orz_bench.sandbox.program import FIRST_OTHER_FD, SECRET_BYTES, Confinement, add_preamble_to_builtins, become
from orz_bench.sandbox.traces import Untouched

_CORES = len(os.sched_getaffinity(0))
_TICK_S = 0.01
_IDLE_S = 0.005
"""CPU time below which a process counts as waiting for its next test."""


def main(given: socket.socket, settings: dict[str, Any]) -> None:
    """Serve until the socket, which is standard input, closes."""
    connection = socket.socket(fileno=_out_of_the_way(given.detach()))
    os.dup2(1, 0)
    for descriptor in range(3, FIRST_OTHER_FD):  # reserved, so that nothing else gets these numbers
        with contextlib.suppress(OSError):
            os.close(descriptor)
    for _ in range(3, FIRST_OTHER_FD):
        os.open("/dev/null", os.O_RDONLY)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    try:
        streams, isolation, place = _isolate(settings)
    except OSError as error:
        send(connection, {"failure": str(error)})
        return
    send(connection, asdict(isolation), descriptors=streams)
    for descriptor in streams:
        os.close(descriptor)
    _serve(connection, place)


def _out_of_the_way(descriptor: int) -> int:
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_OTHER_FD)


def _isolate(settings: dict[str, Any]) -> tuple[list[int], Isolation, _Place]:
    folder = Path(settings["folder"])
    readable = root.readable_paths()
    last_pid = root.open_last_pid() if settings["namespaces"] else None
    if settings["namespaces"]:
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # otherwise /proc/self/uid_map belongs to root
        root.enter_namespaces()
        _continue_as_first_process()
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        streams = root.make_root(folder, settings["packages"])
        sys.path[:] = [*(path for path in sys.path if Path(path).exists()), root.SITE]
        place, home, allowed, private = "/dev", "/tmp", ["/"], "/tmp"  # noqa: S108  # of the new root
    else:
        root.require_readable_by(root.identity_of_programs())
        root.make_streams(folder)
        streams = root.open_streams(folder)
        site = root.link_packages(folder, settings["packages"])
        sys.path.append(site)
        allowed = [*readable, *settings["packages"], site, *(f"{folder}/{name}" for name in root.FILES)]
        place, home, private = str(folder), "/", None
    grants = _Grants(allowed, [f"{place}/stdout", f"{place}/stderr", "/dev/null"], private)
    filter_code = seccomp.assemble() if seccomp.is_supported() else None
    isolation = Isolation(
        namespaces=settings["namespaces"], seccomp=filter_code is not None, landlock=landlock.version(), user=_user()
    )
    confinement = Confinement(
        filter_code, grants.rules(), place, home, root.identity_of_programs(), root.can_have_user_namespaces()
    )
    add_preamble_to_builtins()
    program, stdin, *fifos = streams
    inputs = os.memfd_create("inputs")
    outputs = [os.open(f"{place}/{name}", os.O_WRONLY | os.O_NONBLOCK) for name in ("stderr", "stdout")]
    channels = _Channels(os.dup(inputs), stdin, *outputs)
    return [program, inputs, *fifos], isolation, _Place(confinement, grants, last_pid, Untouched(), channels)


def _user() -> str:
    return "the same user" if root.identity_of_programs() is None else "nobody"


@dataclass(frozen=True, slots=True)
class _Grants:
    """The files that a program may open."""

    readable: list[str]
    writable: list[str]
    private: str | None

    def rules(self) -> int | None:
        """As Landlock's rules, if the kernel has Landlock."""
        if not landlock.version():
            return None
        return landlock.ruleset(readable=self.readable, writable=self.writable, folder=self.private)


@dataclass(frozen=True, slots=True)
class _Channels:
    """Descriptors of the streams between the grader and a program. No process of a program has them."""

    inputs: int
    """Inputs of all requested tests, one after another."""
    stdin: int
    """The file read by the program."""
    stderr: int
    stdout: int

    def show_input(self, start: int, num_bytes: int) -> None:
        """Make this part of the inputs the program's standard input, without copying it into this process."""
        os.lseek(self.stdin, 0, os.SEEK_SET)
        left = num_bytes
        while left:
            left -= os.sendfile(self.stdin, self.inputs, start + num_bytes - left, left)
        os.ftruncate(self.stdin, num_bytes)

    def mark_end(self, mark: bytes, cpu_s: float) -> bool:
        """Write the separator of two tests to the program's output. Returns whether there was room."""
        try:
            os.write(self.stderr, mark)
            os.write(self.stdout, mark + CPU_S.pack(cpu_s))
        except BlockingIOError:
            return False
        return True


@dataclass(slots=True)
class _Place:
    """The place where programs run, one after another."""

    confinement: Confinement
    grants: _Grants
    last_pid: int | None
    """A descriptor: writing to it sets the number of the last process."""
    untouched: Untouched
    """The interpreter."""
    channels: _Channels
    has_namespaces: bool = field(default_factory=lambda: os.getpid() == 1)
    _empty: tuple[object, ...] = ()
    """Of the private folder."""

    def __post_init__(self) -> None:
        if self.has_namespaces:
            self._empty = root.private_folder()
            self.clean()

    def is_touched(self) -> bool:
        """Whether anything was created in the private folder; without namespaces there is none."""
        return self.has_namespaces and root.private_folder() != self._empty

    def clean(self) -> None:
        """Remove all processes and files of the previous program, and all signs of how many processes there were."""
        if not self.has_namespaces:  # programs cannot fork, and have no folder to write to
            return
        _kill_all_others()
        if self.last_pid is not None:
            os.pwrite(self.last_pid, b"1", 0)  # elsewhere it is ignored
        if self.is_touched():
            root.renew_private_folder()
            self._empty = root.private_folder()
            # Rules apply to the folder, not to its name.
            if self.confinement.rules is not None:
                os.close(self.confinement.rules)
            self.confinement = replace(self.confinement, rules=self.grants.rules())


def _continue_as_first_process() -> None:
    """Continue in a child, the first process of the new namespace; the parent waits and ends with it."""
    child = os.fork()
    if child:
        leave_signals_to_parent()
        os.closerange(0, 256)
        os.waitpid(child, 0)
        os._exit(0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)


def leave_signals_to_parent() -> None:
    """Ignore signals to the whole group: this process must end with its parent, not before."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _serve(connection: socket.socket, place: _Place) -> None:
    leave_signals_to_parent()
    re.purge()  # otherwise each process would clear the cache of expressions itself
    gc.collect()
    gc.freeze()
    limits = Limits()
    running: _Running | None = None
    while message := receive(connection):
        is_new_program = "limits" in message
        if running is not None and (is_new_program or message.get("is_fresh", True) or not running.is_as_it_was()):
            running.end()
            running = None
        if is_new_program:
            limits = Limits(**message["limits"])
        if "end" in message:
            send(connection, {})
        elif "inputs" in message:
            running = _run_tests(message, running, connection=connection, limits=limits, place=place)


def _run_tests(
    message: dict[str, Any], running: _Running | None, *, connection: socket.socket, limits: Limits, place: _Place
) -> _Running | None:
    """Run tests in this process one after another, and report how the last one ended. Returns the process if alive.

    A new process runs one test, after which it is known whether it can run another. The mark is received after the
    fork, so it is not in the memory of the process.
    """
    is_reused = running is not None
    sizes = message["inputs"] if is_reused else message["inputs"][:1]
    mark = b""
    num_done = start = 0
    while True:
        place.channels.show_input(start, sizes[num_done])
        start += sizes[num_done]
        running = running or _Running.start(limits, connection, place=place)
        if num_done == 0 and len(message["inputs"]) > 1:
            mark = bytes.fromhex((receive(connection) or {"mark": ""})["mark"])
        found = running.test(limits, connection, is_reused=is_reused)
        num_done += 1
        is_going_on = num_done < len(sizes) and found["is_there"] and running.is_as_it_was()
        if not (is_going_on and place.channels.mark_end(mark, found["cpu_s"])):
            break
    if found["is_there"] and message["is_last"] and num_done == len(message["inputs"]):
        running.end()
        found["is_there"] = False
    send(connection, found | {"is_reused": is_reused})
    return running if found["is_there"] else None


@dataclass(slots=True)
class _Running:
    """A program's process, which may run several tests."""

    pid: int
    descriptor: int
    """Descriptor of the process: readable when it has ended."""
    done: int
    go_on: int
    secret: bytes
    """The word with which it reports the end of a test. A program does not know it."""
    place: _Place
    waiting: select.poll
    """Waits for the end of the process or of a test, or for a message of the grader."""
    cpu_s: float = 0.0
    """CPU time up to the end of the previous test."""

    @classmethod
    def start(cls, limits: Limits, connection: socket.socket, *, place: _Place) -> _Running:
        """Fork the process; its first test begins at once."""
        done, its_done = os.pipe()
        its_go_on, go_on = os.pipe()
        pid = linux.fork()
        if not pid:
            become(limits, place.untouched, confinement=place.confinement, pipes=(its_done, its_go_on))
        os.close(its_done)
        os.close(its_go_on)
        secret = os.urandom(SECRET_BYTES)
        os.write(go_on, secret)
        running = cls(pid, os.pidfd_open(pid), done, go_on, secret, place, select.poll())
        for descriptor in (running.descriptor, done, connection.fileno()):
            running.waiting.register(descriptor, select.POLLIN)
        return running

    def test(self, limits: Limits, connection: socket.socket, *, is_reused: bool) -> dict[str, Any]:
        """Wait for the end of a test. Returns how it ended, and whether the process can run another."""
        started = time.monotonic()
        if is_reused:
            with contextlib.suppress(BrokenPipeError):
                os.write(self.go_on, b".")
        late, is_done = self._wait(limits, connection, ends_at=started + limits.wall_s)
        if is_done and os.read(self.done, 2 * SECRET_BYTES) == self.secret:
            before, self.cpu_s = self.cpu_s, self._cpu_s()
            return {"status": 0, "late": "", "cpu_s": self.cpu_s - before, "is_there": True}
        before = self.cpu_s
        status = self.end()
        return {"status": status, "late": late, "cpu_s": self.cpu_s - before, "is_there": False}

    def is_as_it_was(self) -> bool:
        """Whether it has only waited since the previous test, and left nothing in the private folder."""
        return self._cpu_s() - self.cpu_s < _IDLE_S and not self.place.is_touched()

    def end(self) -> int:
        """Kill the process and any others. Returns its exit code, negative for a signal."""
        os.kill(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        self.cpu_s = usage.ru_utime + usage.ru_stime
        for descriptor in (self.descriptor, self.done, self.go_on):
            os.close(descriptor)
        self.place.clean()
        return os.waitstatus_to_exitcode(status)

    def _wait(self, limits: Limits, connection: socket.socket, *, ends_at: float) -> tuple[str, bool]:
        """Wait for a message, the end of the process, or the grader. Returns (limit reached, whether a test ended)."""
        while True:
            cpu_left = limits.cpu_s - (self._cpu_s() - self.cpu_s)
            wall_left = ends_at - time.monotonic()
            if cpu_left <= 0 or wall_left <= 0:
                return "cpu_time" if cpu_left <= 0 else "wall_time", False
            # A program with threads uses several CPU seconds per second.
            patience = min(wall_left, max(cpu_left / _CORES, _TICK_S))
            if not self.place.confinement.counts_alone:
                patience = min(patience, _TICK_S)
                if _num_threads(self.pid) > limits.threads:
                    return "threads", False
            ready = dict(self.waiting.poll(max(1, patience * 1000)))
            if connection.fileno() in ready and not connection.recv(1, socket.MSG_PEEK):
                os._exit(0)
            if ready:
                return "", bool(ready.get(self.done, 0) & select.POLLIN)

    def _cpu_s(self) -> float:
        """CPU seconds of the process so far, from its Linux clock."""
        return time.clock_gettime(~self.pid << 3 | 2)


def _num_threads(pid: int) -> int:
    """Of a process; 0 if unknown."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[17])
    except (OSError, ValueError, IndexError):
        return 0


def _kill_all_others() -> None:
    """There cannot be any, because programs cannot fork; the namespace guarantees it."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return
