"""The grader's end of one supervisor: start it, run programs in it, end it and everything in it.

this process              supervisor (trusted, first process of its namespace)       programs
a thread a worker <--socket--> forks a process a run, waits, reaps  --fork-->  one run each, confined
       ^-------------- what the program prints, through FIFOs -------------------------'
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from orz_bench.sandbox.limits import Ended, Isolation, Limits, Outcome, Program
from orz_bench.sandbox.messages import receive, receive_with_descriptors, send
from orz_bench.sandbox.root import FIFOS, FILES

_HERE = Path(__file__).parent
_NUM_STREAMS = len(FILES) + len(FIFOS)
_START_S = 60.0
_GRACE_S = 20.0
"""How much later than the supervisor this side gives up: only for one that does not answer at all."""
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same program gets the same verdict in every process
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_ERROR_BYTES = 4096
_CHUNK = 1 << 16
_PIPE_BYTES = 1 << 20
"""At least what a pipe can hold by default; programs cannot enlarge one."""


class WorkerGoneError(Exception):
    """The supervisor ended or does not answer."""


class Worker:
    """One supervisor. Used by one thread at a time."""

    def __init__(self, *, packages: Sequence[str], namespaces: bool, python: str = sys.executable) -> None:
        """Programs run on this Python. Raises WorkerGoneError with the reason where it cannot start."""
        self._folder = Path(tempfile.mkdtemp(prefix="orz-sandbox-"))
        self._streams: list[int] = []
        self._socket, theirs = socket.socketpair()
        settings = {"folder": str(self._folder), "packages": list(packages), "namespaces": namespaces}
        with theirs:
            self._process = subprocess.Popen(
                [str(Path(python).resolve()), "-s", "-S", "-P", "-c", (_HERE / "boot.py").read_text("utf-8")],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=_ENVIRONMENT,
                cwd="/",
            )
        self._socket.settimeout(_START_S)
        try:
            send(self._socket, {"texts": _texts(), "settings": settings})
            hello, self._streams = receive_with_descriptors(self._socket, _NUM_STREAMS)
        except (OSError, ValueError) as error:
            self.close()
            raise WorkerGoneError(f"it did not start: {error}") from error
        if hello is None or "failure" in hello:
            self.close()
            raise WorkerGoneError((hello or {}).get("failure", "it ended while it started"))
        self.isolation = Isolation.from_json(hello)
        self.is_alive = True

    def load(self, program: Program) -> None:
        """The program of the next runs, until unload()."""
        source = {"source": program.source, "function": program.function}
        _replace(self._streams[0], json.dumps(source).encode("ascii"))

    def unload(self) -> None:
        """End the program's process, and throw away what it printed meanwhile; or find that this worker is no more."""
        if not self.is_alive:
            return
        try:
            self._send({"end": True})
            self._receive()
        except WorkerGoneError:
            self.is_alive = False  # it is replaced
            return
        _replace(self._streams[0], b"")
        for stream in self._streams[2:]:
            _drain(stream, bytearray(), at_most=None)

    def run(self, text: str, limits: Limits, *, is_fresh: bool = False) -> Outcome:
        """Run the loaded program with this on its standard input. Raises WorkerGoneError, and then is no more.

        `is_fresh` wants a new process; without it, one that came to its end before may go on.
        """
        try:
            return self._run(text, limits, is_fresh=is_fresh)
        except WorkerGoneError:
            self.is_alive = False
            raise

    def _run(self, text: str, limits: Limits, *, is_fresh: bool) -> Outcome:
        _replace(self._streams[1], text.encode("utf-8", errors="replace"))
        fields = {name: getattr(limits, name) for name in Limits.__dataclass_fields__}
        self._send({"limits": fields, "is_fresh": is_fresh})
        output, errors, is_too_long, reply = self._listen(limits)
        ended, detail = _how(reply, limits, is_too_long=is_too_long)
        last_line = errors.decode("utf-8", errors="replace").strip().rpartition("\n")[2]
        return Outcome(
            ended=ended,
            detail=detail or last_line[:300],
            output=output.decode("utf-8", errors="replace"),
            cpu_s=reply["cpu_s"],
            was_reused=reply["is_reused"],
        )

    def kill(self) -> None:
        """Kill the supervisor; its namespace, with everything in it, goes with it."""
        self.is_alive = False
        self._process.kill()

    def close(self) -> None:
        """Kill the supervisor, and wait until nothing of it is left."""
        self.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._socket.settimeout(_GRACE_S)
            while self._socket.recv(_CHUNK):  # until the first process of the namespace is gone too
                pass
        self._socket.close()
        for descriptor in self._streams:
            os.close(descriptor)
        self._streams = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self, limits: Limits) -> tuple[bytes, bytes, bool, dict[str, Any]]:
        """What it printed, the end of its standard error, whether it printed too much, and how it ended."""
        stdout, stderr = self._streams[2:]
        output, errors = bytearray(), bytearray()
        is_too_long = is_told = False
        ends_at = time.monotonic() + limits.wall_s + _GRACE_S
        waiting = select.poll()
        for source in (self._socket.fileno(), stdout, stderr):
            waiting.register(source, select.POLLIN)
        reply = None
        while reply is None:
            ready = {source for source, _ in waiting.poll(max(0, ends_at - time.monotonic()) * 1000)}
            if not ready:
                raise WorkerGoneError("it does not answer")
            if self._socket.fileno() in ready:
                reply = self._receive()
            # After the reply nobody is left to write: what the FIFOs hold is all there is.
            is_last = reply is not None
            _drain(stderr, errors, at_most=None if is_last else _CHUNK)
            del errors[:-_ERROR_BYTES]
            _drain(stdout, output, at_most=None if is_last else _CHUNK)
            if len(output) > limits.output_bytes:
                is_too_long = True
                output.clear()
                if reply is None and not is_told:
                    is_told = True
                    self._send({"stop": True})
        return bytes(output), bytes(errors), is_too_long, reply

    def _send(self, message: dict[str, Any]) -> None:
        try:
            send(self._socket, message)
        except OSError as error:
            raise WorkerGoneError("it ended") from error

    def _receive(self) -> dict[str, Any]:
        try:
            reply = receive(self._socket)
        except OSError as error:
            raise WorkerGoneError("it ended") from error
        if reply is None:
            raise WorkerGoneError("it ended")
        return reply


def _drain(descriptor: int, into: bytearray, *, at_most: int | None) -> None:
    """Read what is there, or what a pipe can hold: a hostile thread could write for ever."""
    left = _PIPE_BYTES if at_most is None else at_most
    while left > 0:
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        left -= len(chunk)
        into += chunk


def _replace(descriptor: int, content: bytes) -> None:
    os.ftruncate(descriptor, 0)
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], written)


@cache
def _texts() -> dict[str, str]:
    """The modules of this package by name, for a process that does not know where they lie."""
    parent = __name__.rpartition(".")[0]
    modules = {f"{parent}.{path.stem}": path.read_text("utf-8") for path in _HERE.glob("*.py")}
    modules.pop(f"{parent}.__init__")
    return modules | {parent: "", parent.partition(".")[0]: ""}


def _how(reply: dict[str, Any], limits: Limits, *, is_too_long: bool) -> tuple[Ended, str]:
    status = reply["status"]
    if is_too_long:
        return "output", f"more than {limits.output_bytes:,} bytes"
    if reply["late"] == "threads":
        return "threads", f"more than {limits.threads}"
    if reply["late"] == "wall_time":
        return "wall_time", f"more than {limits.wall_s:g} s"
    if reply["late"] or reply["cpu_s"] > limits.cpu_s:
        return "cpu_time", f"more than {limits.cpu_s:g} s"
    if status < 0:
        return "signal", _signal_name(-status)
    return ("normally", "") if status == 0 else ("exit_code", "")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
