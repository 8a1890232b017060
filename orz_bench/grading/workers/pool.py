"""A pool of worker processes: run(jobs) -> replies, from any thread, each within its deadline.

The deadline is CPU time of the worker, which ends itself (see worker.py), so that it does not depend on the load of the
machine; wall time is only a backstop, for jobs that wait without computing. A job that timed out runs once more, alone,
and that reply counts.

this process                      host process                     worker processes
one thread per worker  --fork-->  libraries loaded once    --fork--> one job at a time, over its own socket
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from orz_bench.errors import ConfigError, GradingError, counted
from orz_bench.grading.jobs import Job, Reply, Subject
from orz_bench.grading.workers.child import start_module
from orz_bench.grading.workers.turns import Turns
from orz_bench.installed.extras import how_to_install

_INSTALL: dict[Subject, str] = {
    "mathematics": "Install math-verify>=0.9,<0.10.",
    "instructions": f"Run: {how_to_install('lm-eval')} (the checks, and NLTK's data for splitting sentences).",
}
_HOST_START_S = 600.0
_HOST_REPLY_S = 120.0
"""Backstops for a heavily loaded machine: a host that dies is noticed at once."""
_MAX_ATTEMPTS = 5
WALL_FACTOR = 30
"""Wall time per CPU time after which a worker that does not seem to compute is ended."""


class GradingPool:
    """A host and up to `num_workers` workers, started on first use. close() leaves no process."""

    def __init__(self, subject: Subject, *, num_workers: int, deadline_s: float, memory_gib: float) -> None:
        if num_workers < 1 or deadline_s <= 0 or memory_gib <= 0:
            raise ConfigError(
                f"grading with {counted(num_workers, 'worker')}, {deadline_s:g} s per answer and {memory_gib:g} GiB "
                f"per worker is not possible; all three must be positive."
            )
        self._subject: Subject = subject
        self._deadline_s = deadline_s
        self._memory_gib = memory_gib
        self._turns = Turns()
        self._threads = ThreadPoolExecutor(num_workers, thread_name_prefix="orz-grading")
        self._local = threading.local()
        self._lock = threading.Lock()
        self._host: _Host | None = None
        self._is_closed = False

    def run(self, jobs: Sequence[Job]) -> list[Reply]:
        """One reply per job, in order. Raises GradingError if the pool itself fails or was closed."""
        try:
            replies = list(self._threads.map(self._judge_beside_others, jobs))
            for index, reply in enumerate(replies):
                if reply.verdict == "timeout":
                    replies[index] = self._threads.submit(self._judge_alone, jobs[index]).result()
            return replies
        except (CancelledError, RuntimeError) as error:
            if not self._is_closed:
                raise
            raise GradingError("the grader was closed while it was grading; open a new one.") from error

    def close(self) -> None:
        """End all processes. Jobs in flight fail with GradingError."""
        with self._lock:
            self._is_closed = True
            host, self._host = self._host, None
        self._threads.shutdown(wait=False, cancel_futures=True)
        if host is not None:
            host.close()
        self._threads.shutdown(wait=True)

    def _judge_beside_others(self, job: Job) -> Reply:
        with self._turns.turn(alone=False):
            return self._judge(job)

    def _judge_alone(self, job: Job) -> Reply:
        with self._turns.turn(alone=True):
            return self._judge(job)

    def _judge(self, job: Job) -> Reply:
        """The reply. A process may have been killed from outside: the job gets a new one, but no more time."""
        left_s, how = self._deadline_s, "its host ended"
        for _ in range(_MAX_ATTEMPTS):
            try:
                worker = self._own_worker()
            except _HostGoneError:
                continue
            start = time.monotonic()
            try:
                return self._ask(worker, job)
            except (ConnectionError, ValueError):
                how = self._bury_worker()
            if how == signal.SIGPROF.name:
                return Reply("timeout", f"grading took more than {self._deadline_s:g} s of CPU time")
            left_s -= time.monotonic() - start
            if left_s <= 0:
                break
        return Reply("error", f"the grading process died ({how})")

    def _ask(self, worker: _Worker, job: Job) -> Reply:
        wall_s = WALL_FACTOR * self._deadline_s
        try:
            reply = worker.ask(job, deadline_s=wall_s)
        except TimeoutError:
            self._bury_worker()
            return Reply("timeout", f"grading gave no verdict within {wall_s:g} s")
        if reply.worker_ends:
            self._bury_worker()
        return reply

    def _own_worker(self) -> _Worker:
        """This thread's worker. Raises _HostGoneError."""
        worker: _Worker | None = getattr(self._local, "worker", None)
        if worker is None:
            host = self._running_host()
            try:
                worker = self._local.worker = host.fork()
            except _HostGoneError:
                self._forget(host)
                raise
        return worker

    def _bury_worker(self) -> str:
        """End this thread's worker. Returns how it ended."""
        worker: _Worker = self._local.worker
        self._local.worker = None
        try:
            return worker.end()
        except _HostGoneError:
            self._forget(worker.host)
            return "with its host"

    def _running_host(self) -> _Host:
        with self._lock:
            if self._is_closed:
                raise GradingError("the grader is closed; open a new one.")
            if self._host is None:
                _require_memory(self._memory_gib)
                self._host = _Host(self._subject, memory_gib=self._memory_gib, cpu_s=self._deadline_s)
            return self._host

    def _forget(self, host: _Host) -> None:
        """Mark this host as ended: the next job starts a new one."""
        with self._lock:
            if self._host is host:
                self._host = None
        host.close()


def _require_memory(memory_gib: float) -> None:
    """Raise GradingError if the shell limits memory below that of a worker: verdicts must not depend on it."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and soft < memory_gib * 2**30:
        raise GradingError(
            f"memory: processes are limited to {soft / 2**30:.2f} GiB here (ulimit -v), but a grading process needs "
            f"{memory_gib:g} GiB, so that verdicts never depend on the machine. Raise the limit: ulimit -v unlimited."
        )


class _HostGoneError(Exception):
    """The host process ended."""


class _Host:
    """The parent's end of the host process (see orz_bench.grading.workers.host)."""

    def __init__(self, subject: Subject, *, memory_gib: float, cpu_s: float) -> None:
        self._lock = threading.Lock()
        self._connections: list[socket.socket] = []
        """Connections to workers, some of which may have ended."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = start_module(
                "orz_bench.grading.workers.host",
                {"memory_gib": memory_gib, "subject": subject, "cpu_s": cpu_s},
                descriptor=theirs.fileno(),
                # sympy orders some things by hash: a fixed seed gives a pair the same verdict in every process.
                environment={"PYTHONHASHSEED": "0"},
            )
        self._control.settimeout(_HOST_START_S)
        try:
            started = self._receive()
        except _HostGoneError:
            self.close()
            raise
        if "failure" in started:
            self.close()
            raise GradingError(f"grading {subject} cannot start: {started['failure']}. {_INSTALL[subject]}")
        self._control.settimeout(_HOST_REPLY_S)

    def fork(self) -> _Worker:
        """A new worker. Raises _HostGoneError."""
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            self._connections = [one for one in self._connections if one.fileno() >= 0] + [ours]
            try:
                socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
            except OSError as error:
                raise _HostGoneError from error
            return _Worker(ours, pid=self._receive()["pid"], host=self)

    def end_worker(self, pid: int) -> int:
        """Kill the worker if it still runs. Returns its exit code, negative for a signal. Raises _HostGoneError."""
        with self._lock:
            try:
                self._control.send(str(pid).encode())
            except OSError as error:
                raise _HostGoneError from error
            return int(self._receive()["status"])

    def close(self) -> None:
        """End the host and its workers."""
        self._process.kill()
        self._process.wait()
        for connection in (self._control, *self._connections):
            connection.close()

    def _receive(self) -> dict[str, Any]:
        try:
            message = self._control.recv(4096)
        except OSError as error:
            message = b""
            self._process.kill()
            raise _HostGoneError from error
        if not message:
            raise _HostGoneError
        answer: dict[str, Any] = json.loads(message)
        return answer


@dataclass(slots=True)
class _Worker:
    """The parent's end of one worker process."""

    connection: socket.socket
    pid: int
    host: _Host

    def ask(self, job: Job, *, deadline_s: float) -> Reply:
        """The reply. Raises TimeoutError after the deadline, ConnectionError if the worker died."""
        ends_at = time.monotonic() + deadline_s
        self.connection.settimeout(deadline_s)
        self.connection.sendall(job.to_line())
        received = b""
        while not received.endswith(b"\n"):
            self.connection.settimeout(max(1e-3, ends_at - time.monotonic()))
            chunk = self.connection.recv(65536)
            if not chunk:
                raise ConnectionError
            received += chunk
        return Reply.from_line(received)

    def end(self) -> str:
        """End the process. Returns how it ended, in words. Raises _HostGoneError."""
        with contextlib.closing(self.connection):
            code = self.host.end_worker(self.pid)
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
