"""How this process gets to Ray: the cluster that RAY_ADDRESS names, or a Ray of its own on this machine.

Without an address Ray would join whatever cluster was last started on the machine, and wait for minutes if it is dead.
"""

from __future__ import annotations

import os
import socket

import ray

from orz_bench.errors import EngineError
from orz_bench.signals import hear_signals


def start_ray() -> None:
    """Connect to Ray, or start it. Raises EngineError where no cluster answers at RAY_ADDRESS."""
    address = os.environ.get("RAY_ADDRESS")
    _refuse_silent_address(address)
    # Ray's workers give way to everything else on a machine; here they are what the user waits for.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        else:
            ray.init(address="local", include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        if address is None:
            raise EngineError(
                f"Ray does not start on this machine ({reason}). Its temporary folder has the logs."
            ) from error
        raise EngineError(
            f"no Ray cluster answers at RAY_ADDRESS={address} ({reason}). A stale one, or another token "
            f"(RAY_AUTH_TOKEN_PATH)? Start it with `ray start --head`, or unset RAY_ADDRESS to use this machine alone."
        ) from error
    hear_signals()  # Ray's own handler of SIGTERM prints a C++ stack and ends the process


def _refuse_silent_address(address: str | None) -> None:
    """Raise EngineError where nobody listens: Ray itself would end this process without an exception."""
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
