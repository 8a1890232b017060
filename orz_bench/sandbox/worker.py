"""The grader's end of one supervisor: start it, run programs in it, end it and everything in it.

this process                   supervisor (trusted, first process of its namespace)    programs
a thread per worker <--socket--> forks a process per run, waits, reaps  --fork-->  one run each, confined
       ^------------------ output of the program, through FIFOs ------------------------'
"""

from __future__ import annotations

import contextlib
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
from typing import Any, NoReturn

from orz_bench.sandbox.limits import Ended, Isolation, Limits, Outcome, Program
from orz_bench.sandbox.messages import CPU_S, MARK_BYTES, receive, receive_with_descriptors, send
from orz_bench.sandbox.root import FIFOS, FILES

_HERE = Path(__file__).parent
_NUM_STREAMS = len(FILES) + len(FIFOS)
_START_S = 60.0
_GRACE_S = 20.0
"""How much later than the supervisor this side gives up: only for a supervisor that does not answer."""
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",  # the same program gets the same verdict in every process
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_ERROR_BYTES = 4096
_CHUNK = 1 << 16
_END_BYTES = MARK_BYTES + CPU_S.size
_SHORT_MS = 2
"""Most tests end within this time and their output fits into a FIFO: nothing has to be read before the reply."""
_PIPE_BYTES = 1 << 20
"""At least the default capacity of a pipe; programs cannot enlarge one."""


class WorkerGoneError(Exception):
    """The supervisor ended or does not answer."""


class Worker:
    """One supervisor. Used by one thread at a time."""

    def __init__(self, *, packages: Sequence[str], namespaces: bool, python: str = sys.executable) -> None:
        """Programs run with this Python. Raises WorkerGoneError with the reason if it cannot start."""
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
        self.is_under_way = False
        """Whether next() has more results."""
        self.has_process = False
        """Whether the program's process can run another test."""
        self._reply: dict[str, Any] | None = None
        self._mark: bytes | None = None
        self._output, self._errors = bytearray(), bytearray()
        self._reply_alone, self._anything = select.poll(), select.poll()
        self._reply_alone.register(self._socket, select.POLLIN)
        for source in (self._socket.fileno(), *self._streams[2:]):
            self._anything.register(source, select.POLLIN)

    def load(self, program: Program, limits: Limits) -> None:
        """Set the program of the next runs, until unload()."""
        text = f"{program.function or ''}\n{program.source}"
        _replace(self._streams[0], text.encode("utf-8", errors="surrogatepass"))
        self._limits = limits
        self._to_tell = {"limits": {name: getattr(limits, name) for name in Limits.__dataclass_fields__}}

    def unload(self) -> None:
        """End the program's process and discard its further output, or find that this worker has ended."""
        if not self.is_alive:
            return
        _replace(self._streams[0], b"")
        if self.is_under_way or self.has_process:  # otherwise all its output was read after its end
            with contextlib.suppress(WorkerGoneError):  # it is replaced
                self._end()

    def begin(self, texts: Sequence[str], *, is_fresh: bool = False, is_last: bool = False) -> None:
        """Run the loaded program on these, one after another; next() returns each outcome.

        It ends early if a test fails, or if the next one needs a new process: `is_under_way` is then False.
        `is_fresh`: in a new process; otherwise one that finished its last test may continue. `is_last`: end the process
        after the last one. After WorkerGoneError the worker cannot be used.
        """
        assert not self.is_under_way
        contents = [text.encode("utf-8", errors="replace") for text in texts]
        _replace(self._streams[1], b"".join(contents))
        self._reply = None
        self._output.clear()
        self._errors.clear()
        self.is_under_way = True
        self._send({"inputs": [*map(len, contents)], "is_fresh": is_fresh, "is_last": is_last} | self._to_tell)
        self._to_tell = {}
        self._mark = os.urandom(MARK_BYTES) if len(texts) > 1 else None
        if self._mark is not None:  # a separate message: no process forked for this run can know the mark
            self._send({"mark": self._mark.hex()})

    def next(self, *, output_bytes: int) -> Outcome:
        """The outcome of the next test. After WorkerGoneError the worker cannot be used."""
        output, is_too_long, reply = self._listen(output_bytes)
        last_line: bytes | bytearray = b""
        if reply is self._reply:
            self.is_under_way, self.has_process = False, reply["is_there"]
            of_this_test = self._errors.rpartition(self._mark)[2] if self._mark is not None else self._errors
            last_line = of_this_test.strip().rpartition(b"\n")[2]
        elif is_too_long:
            self._end()
        ended, detail = _how(reply, self._limits)
        if is_too_long:
            ended, detail = "output", f"more than {output_bytes:,} bytes"
        return Outcome(
            ended=ended,
            detail=detail or last_line.decode("utf-8", errors="replace")[:300],
            output=output.decode("utf-8", errors="replace"),
            cpu_s=reply["cpu_s"],
            was_reused=reply["is_reused"],
        )

    def kill(self) -> None:
        """Kill the supervisor, and with it everything in its namespace."""
        self.is_alive = False
        self._process.kill()

    def close(self) -> None:
        """Kill the supervisor, and wait until all its processes have ended."""
        self.kill()
        self._process.wait()
        with contextlib.suppress(OSError):
            self._socket.settimeout(_GRACE_S)
            while self._socket.recv(_CHUNK):  # until the first process of the namespace has ended too
                pass
        self._socket.close()
        for descriptor in self._streams:
            os.close(descriptor)
        self._streams = []
        shutil.rmtree(self._folder, ignore_errors=True)

    def _listen(self, output_bytes: int) -> tuple[bytes, bool, dict[str, Any]]:
        """The output of the next test, whether it was too long, and how the test ended."""
        is_too_long = False
        searched = 0
        ends_at = time.monotonic() + self._limits.wall_s + _GRACE_S
        waiting, patience_ms = self._reply_alone, float(_SHORT_MS)
        while True:
            at = -1 if self._mark is None else self._output.find(self._mark, searched)
            if 0 <= at <= len(self._output) - _END_BYTES or self._reply is not None:
                break
            is_too_long = self._stop_if_too_long(output_bytes, was_told=is_too_long)
            searched = max(0, len(self._output) - _END_BYTES)
            ready = waiting.poll(patience_ms)
            if not ready and waiting is self._anything:
                self._give_up("it does not answer")
            if any(source == self._socket.fileno() for source, _ in ready):
                self._reply = self._receive()
            self._read(is_all=self._reply is not None)  # nothing writes after the reply
            waiting, patience_ms = self._anything, max(0, ends_at - time.monotonic()) * 1000
        if at < 0 and self._reply is not None:
            output, reply = bytes(self._output), self._reply
        else:
            output = bytes(self._output[:at])
            (cpu_s,) = CPU_S.unpack_from(self._output, at + MARK_BYTES)
            reply = {"status": 0, "late": "", "cpu_s": cpu_s, "is_reused": True}
            del self._output[: at + _END_BYTES]
        is_too_long = is_too_long or len(output) > output_bytes
        return (b"" if is_too_long else output), is_too_long, reply

    def _stop_if_too_long(self, output_bytes: int, *, was_told: bool) -> bool:
        if len(self._output) > output_bytes:
            self._output.clear()
            if not was_told:
                self._send({"stop": True})
            return True
        return was_told

    def _read(self, *, is_all: bool) -> None:
        """The contents of the FIFOs; standard error after the output, because its marks come first."""
        at_most = _PIPE_BYTES if is_all else _CHUNK
        _drain(self._streams[2], self._output, at_most=at_most)
        _drain(self._streams[3], self._errors, at_most=at_most)
        del self._errors[:-_ERROR_BYTES]

    def _end(self) -> None:
        """End the program's process, and discard its output."""
        self._send({"end": True})
        while self._receive():  # perhaps an answer to the run in progress, and an empty one to this
            pass
        self._read(is_all=True)
        self.is_under_way = self.has_process = False

    def _send(self, message: dict[str, Any]) -> None:
        try:
            send(self._socket, message)
        except OSError as error:
            self._give_up("it ended", error)

    def _receive(self) -> dict[str, Any]:
        reply = None
        with contextlib.suppress(OSError):
            reply = receive(self._socket)
        if reply is None:
            self._give_up("it ended")
        return reply

    def _give_up(self, why: str, error: Exception | None = None) -> NoReturn:
        self.is_alive = self.is_under_way = self.has_process = False
        raise WorkerGoneError(why) from error


def _drain(descriptor: int, into: bytearray, *, at_most: int) -> None:
    """Read the available data, up to a limit: a hostile thread could write forever."""
    left = at_most
    while left > 0:
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return
        left -= len(chunk)
        into += chunk
        if len(chunk) < _CHUNK:  # end of the data
            return


def _replace(descriptor: int, content: bytes) -> None:
    written = 0
    while written < len(content):
        written += os.pwrite(descriptor, content[written:], written)
    os.ftruncate(descriptor, len(content))  # afterwards, so that its memory stays where it is


@cache
def _texts() -> dict[str, str]:
    """The modules of this package by name, for a process without access to their files."""
    parent = __name__.rpartition(".")[0]
    modules = {f"{parent}.{path.stem}": path.read_text("utf-8") for path in _HERE.glob("*.py")}
    modules.pop(f"{parent}.__init__")
    return modules | {parent: "", parent.partition(".")[0]: ""}


def _how(reply: dict[str, Any], limits: Limits) -> tuple[Ended, str]:
    status = reply["status"]
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
