"""The trusted process inside the sandbox: it runs programs one after the other, each in a process of its own.

Started by orz_bench.sandbox.worker. It holds no expected output and decides no verdict; what it tells is how a process
ended. When its socket closes or its parent dies it ends, and with it everything in its process namespace.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from orz_bench.sandbox import landlock, linux, root, seccomp
from orz_bench.sandbox.limits import Isolation, Limits, Program
from orz_bench.sandbox.messages import receive, send
from orz_bench.sandbox.program import Confinement, become, preamble


def main() -> None:
    """Serve until the socket closes. Settings, as JSON, are the last word of the command line."""
    settings: dict[str, Any] = json.loads(sys.argv[-1])
    sys.path.remove(sys.argv[1])  # where this package lies is none of a program's business
    connection = socket.socket(fileno=settings["descriptor"])
    linux.prctl(linux.PR_SET_DUMPABLE, 0)
    try:
        streams, isolation, confinement = _isolate(settings)
    except OSError as error:
        send(connection, {"failure": str(error)})
        return
    send(connection, asdict(isolation), descriptors=streams)
    for descriptor in streams:
        os.close(descriptor)
    _serve(connection, confinement)


def _isolate(settings: dict[str, Any]) -> tuple[list[int], Isolation, Confinement]:
    folder = Path(settings["folder"])
    readable = root.readable_paths()
    if settings["namespaces"]:
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # or /proc/self/uid_map belongs to root
        root.enter_namespaces()
        _continue_as_first_process()
        linux.prctl(linux.PR_SET_DUMPABLE, 0)
        streams = root.make_root(folder, settings["packages"])
        sys.path = [*(path for path in sys.path if Path(path).exists()), root.SITE]
        place, home, allowed, private = "/dev", "/tmp", ["/"], "/tmp"  # noqa: S108  # of the new root
    else:
        root.make_streams(folder)
        streams = root.open_streams(folder)
        site = root.link_packages(folder, settings["packages"])
        sys.path.append(site)
        allowed = [*readable, *settings["packages"], site, f"{folder}/stdin"]
        place, home, private = str(folder), "/", None
    version = landlock.version()
    written = [f"{place}/stdout", f"{place}/stderr", "/dev/null"]
    rules = landlock.ruleset(readable=allowed, writable=written, folder=private) if version else None
    filter_code = seccomp.assemble() if seccomp.is_supported() else None
    isolation = Isolation(namespaces=settings["namespaces"], seccomp=filter_code is not None, landlock=version)
    return streams, isolation, Confinement(filter_code, rules, place, home)


def _continue_as_first_process() -> None:
    """Go on in a child, the first process of the new namespace; the parent waits and ends with it."""
    parent = os.getpid()
    child = os.fork()
    if child:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.closerange(0, 256)
        os.waitpid(child, 0)
        os._exit(0)
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    del parent


def _serve(connection: socket.socket, confinement: Confinement) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    names = preamble()
    program = Program(source="")
    gc.collect()
    gc.freeze()
    while message := receive(connection):
        if "program" in message:
            program = Program(**message["program"])
            continue
        send(connection, _run(program, Limits(**message["limits"]), names=names, places=(connection, confinement)))


def _run(
    program: Program, limits: Limits, *, names: dict[str, Any], places: tuple[socket.socket, Confinement]
) -> dict[str, Any]:
    """Run the program once: how its process ended."""
    connection, confinement = places
    started = time.monotonic()
    child = os.fork()
    if not child:
        become(program, limits, names=names, confinement=confinement)
    is_late = _wait(child, connection, seconds=limits.wall_s)
    os.kill(child, signal.SIGKILL)
    _, status, usage = os.wait4(child, 0)
    if os.getpid() == 1:
        _kill_all_others()
        root.renew_private_folder()
    return {
        "status": os.waitstatus_to_exitcode(status),
        "is_late": is_late,
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "wall_s": time.monotonic() - started,
    }


def _wait(child: int, connection: socket.socket, *, seconds: float) -> bool:
    """Until the child ends or the grader says anything; whether the time was up."""
    descriptor = os.pidfd_open(child)
    try:
        ready, _, _ = select.select([descriptor, connection.fileno()], [], [], seconds)
    finally:
        os.close(descriptor)
    if connection.fileno() in ready and not connection.recv(1, socket.MSG_PEEK):
        _end()
    return not ready


def _kill_all_others() -> None:
    """None can be there, because programs cannot fork; the namespace makes sure."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _end() -> NoReturn:
    os._exit(0)
