"""Connect this process to Ray: to the cluster at RAY_ADDRESS, or to a Ray of its own on this machine.

Without an address Ray would join the cluster last started on this machine, and wait for minutes if it is dead.
"""

from __future__ import annotations

import atexit
import os
import socket
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import ray

from orz_bench.errors import EngineError
from orz_bench.signals import exit_code, hear_signals, was_stopped


def start_ray() -> None:
    """Connect to Ray, or start it. Raises EngineError if no cluster answers at RAY_ADDRESS."""
    address = os.environ.get("RAY_ADDRESS")
    _refuse_silent_address(address)
    # Ray lowers the priority of its workers; here they are what the user waits for.
    os.environ.setdefault("RAY_worker_niceness", "0")
    # Ray would start an idle Python process for each core; ours, which have variables of their own, use none of them.
    os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
    # Ray prints what its daemons report, whatever the log level; a process that dies is reported by whoever started it.
    ray._private.worker.listen_error_messages = lambda *_: None  # noqa: SLF001
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        else:
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # of a node that does not start in time, Ray raises a plain Exception
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if address is None:
            raise EngineError(
                f"Ray does not start on this machine ({reason}). Its temporary folder has the logs; run the command "
                "again if the machine was busy."
            ) from error
        raise EngineError(
            f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}). A stale one, or another token "
            f"(RAY_AUTH_TOKEN_PATH)? Start it with `ray start --head`, or unset RAY_ADDRESS to use this machine alone."
        ) from error
    hear_signals()  # Ray's own handler of SIGTERM prints a C++ stack and ends the process


def end_ray(actors: Iterable[Any] = (), *, placement_group: Any = None) -> None:
    """End these actors, and Ray if it was started here.

    A scheduler that ends a job may end Ray's own processes first. Any call then waits a minute and ends this process
    without an exception, so a Ray that does not answer is not called.
    """
    if not _answers():
        _leave_dead_ray()
        return
    for actor in actors:
        with suppress(Exception):
            ray.kill(actor)
    if placement_group is not None:
        with suppress(Exception):
            ray.util.remove_placement_group(placement_group)
    ray.shutdown()


def _answers() -> bool:
    """Whether Ray's control process answers."""
    if not ray.is_initialized():
        return True
    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError:
        return False
    return True


def _leave_dead_ray() -> None:
    atexit.unregister(ray.shutdown)
    node = ray._private.worker._global_node  # noqa: SLF001 - its remaining processes must not outlive this one
    with suppress(Exception):
        node.kill_all_processes(check_alive=False, allow_graceful=False)
    if was_stopped():
        atexit.register(_leave_at_once)


def _leave_at_once() -> None:
    """Exit before Ray's C++ code crashes at the end of this process, which would hide the exit code."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(exit_code())


def _refuse_silent_address(address: str | None) -> None:
    """Raise EngineError if no Ray head answers at that address: Ray would end this process without an exception."""
    host, _, port = (address or "").rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except OSError as error:
        raise EngineError(
            f"no Ray cluster answers at RAY_ADDRESS={address} ({error}). A stale one? Start it with "
            f"`ray start --head`, or unset RAY_ADDRESS to use this machine alone."
        ) from error
