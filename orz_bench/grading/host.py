"""A process that grades: it imports Math-Verify once, forks workers, gives each one job at a time, and kills late ones.

Jobs come as JSON lines on stdin and verdicts go out on stdout. It ends, with every worker, when stdin closes, so nothing
outlives the program that started it, however that ended. Run as `python -m orz_bench.grading.host`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, NoReturn

from orz_bench.grading.equality import judge, judge_text

_PR_SET_PDEATHSIG = 1
_READ_BYTES = 1 << 16
_WARM_UP = (
    ("\\frac{1}{2}", "0.5"),
    ("(3, \\frac{\\pi}{2})", "\\left(3, -\\frac{\\pi}{4}\\right)"),
    ("x^2 + 3x - 6", "6r^2 - 4r"),
    ("[-2, 7) \\cup (8, \\infty)", "(-\\infty, 0]"),
    ("\\{1 \\pm \\sqrt{5}, -2\\}", "\\sqrt[3]{2}, 3\\sqrt{2}"),
    ("y = 2x + 3", "x \\leq 4"),
    ("90^\\circ", "\\text{east}"),
    ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\sin(20^\\circ) + \\log_{2} 3"),
)
"""Formulas of the usual kinds: the parser learns its tables from them once, and every fork inherits them."""


@dataclass
class _Worker:
    """A forked child, and what it is busy with."""

    pid: int
    channel: socket.socket
    job: dict[str, Any] | None = None
    late_at: float = float("inf")
    received: bytes = b""


class Host:
    """The loop of the host process."""

    def __init__(self, *, num_workers: int, deadline_s: float, memory_bytes: int) -> None:
        self._deadline_s = deadline_s
        self._memory_bytes = memory_bytes
        self._selector = selectors.DefaultSelector()
        self._waiting: deque[dict[str, Any]] = deque()
        self._input = b""
        self._workers: list[_Worker] = []
        self._selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
        for _ in range(num_workers):
            self._workers.append(self._fork())

    def run(self) -> None:
        """Serve until stdin closes."""
        while self._step():
            pass
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGKILL)

    def _step(self) -> bool:
        next_late = min(worker.late_at for worker in self._workers)
        timeout = max(0.0, next_late - time.monotonic()) if next_late < float("inf") else None
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                if not self._read_jobs():
                    return False
            else:
                self._read_verdict(key.data)
        now = time.monotonic()
        for worker in [worker for worker in self._workers if worker.late_at <= now]:
            self._replace(worker, "timeout", f"no verdict within {self._deadline_s:g} s")
        self._hand_out()
        return True

    def _read_jobs(self) -> bool:
        data = os.read(sys.stdin.fileno(), _READ_BYTES)
        *lines, self._input = (self._input + data).split(b"\n")
        self._waiting.extend(json.loads(line) for line in lines)
        return bool(data)

    def _read_verdict(self, worker: _Worker) -> None:
        try:
            data = worker.channel.recv(_READ_BYTES)
        except OSError:
            data = b""
        worker.received += data
        if not data:
            self._replace(worker, "error", "the worker died (out of memory, or a crash)")
        elif worker.received.endswith(b"\n"):
            verdict, why, healthy = json.loads(worker.received)
            worker.received = b""
            if healthy:
                self._reply(worker, verdict, why)
            else:
                self._replace(worker, verdict, why)

    def _hand_out(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.job is None:
                worker.job = self._waiting.popleft()
                worker.late_at = time.monotonic() + self._deadline_s
                with contextlib.suppress(OSError):  # a dead worker is noticed, and replaced, by its closed channel
                    worker.channel.sendall(json.dumps(worker.job).encode() + b"\n")

    def _reply(self, worker: _Worker, verdict: str, why: str) -> None:
        if worker.job is not None:
            line = json.dumps({"id": worker.job["id"], "verdict": verdict, "why": why})
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        worker.job, worker.late_at = None, float("inf")

    def _replace(self, worker: _Worker, verdict: str, why: str) -> None:
        os.kill(worker.pid, signal.SIGKILL)
        os.waitpid(worker.pid, 0)
        self._selector.unregister(worker.channel)
        worker.channel.close()
        self._reply(worker, verdict, why)
        self._workers[self._workers.index(worker)] = self._fork()

    def _fork(self) -> _Worker:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            ours.close()
            for worker in self._workers:
                worker.channel.close()
            _work(theirs, self._memory_bytes)
        theirs.close()
        worker = _Worker(pid=pid, channel=ours)
        self._selector.register(ours, selectors.EVENT_READ, worker)
        return worker


def _work(channel: socket.socket, memory_bytes: int) -> NoReturn:
    """The child's life: a job in, a verdict out. It never returns to the host's code."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    for line in channel.makefile("rb"):
        channel.sendall(json.dumps(_verdict(json.loads(line))).encode() + b"\n")
    os._exit(0)


def _verdict(job: dict[str, Any]) -> tuple[str, str, bool]:
    """(verdict, why, whether this process may go on)."""
    decide = judge_text if job["free_text"] else judge
    try:
        return *decide(job["gold"], job["answer"], strict=job["strict"]), True
    except MemoryError:
        return "error", "out of memory", False
    except RecursionError:
        return "unparseable", "too deeply nested", False
    except Exception as error:  # a grader must turn whatever sympy raises into a verdict
        return "error", f"{type(error).__name__} in Math-Verify", False


def main() -> None:
    """Read the three numbers of the command line and serve."""
    num_workers, deadline_s, memory_bytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    for gold, answer in _WARM_UP:
        judge(gold, answer, strict=True)
    Host(num_workers=num_workers, deadline_s=deadline_s, memory_bytes=memory_bytes).run()


if __name__ == "__main__":
    main()
