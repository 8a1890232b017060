"""The host process: it loads a judge's libraries once and forks limited workers; a killed one is replaced in 10 ms.

It takes orders over one socket: a message with a file descriptor starts a worker that serves that descriptor, a message
with a process id ends that worker and reports how it ended. When the socket closes or the parent dies, the host and its
workers end (see orz_bench.grading.workers.worker).
"""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from orz_bench.grading.jobs import Job, Subject
from orz_bench.grading.workers.worker import Judge, work
from orz_bench.signals import leave_signals_to_parent

POLL_S = 1.0
_WARM_UP = (
    (r"\frac{1}{2}+\sqrt{3}", "2.5"),
    (r"3x - 7y", r"\frac{6x-14y}{2}"),
    (r"(1, \frac{\pi}{2})", "[3, 4)"),
    (r"y = \frac{1}{2}x - 3", "no solution"),
    (r"7 - 2i", r"t^8 + t^7 - 3t^2 + 1"),
    (r"(-\infty, 4) \cup (7, \infty)", r"\left[-2, \frac{7}{3}\right)"),
    (r"\begin{pmatrix} -1/5 \\ 4/7 \end{pmatrix}", r"\begin{pmatrix} -\frac{1}{5} \\ 4 \end{pmatrix}"),
    (r"\{1, 2, 3\}", r"5 \pm 4 \sqrt{7}"),
    (r"\sin 20^\circ + \log_2 8", r"\sqrt[3]{5} - 2^{10} \cdot 3"),
    (r"-\sqrt{7} < x < \sqrt{7}", r"\frac{x+1}{x-1}"),
    (r"\left[ \frac{\pi^2}{3}, 2 \pi \right]", r"x \in \{2, 5\}"),
    (r"121_3", r"a_1 = 4"),
    (r"\log_{\left(1 + t\right)} \left(\frac{5}{3}\right)", r"3\frac{1}{5}"),
    (r"\{2\pm\sqrt{7},-3\}", r"\frac{\sin 10^\circ (1 + 3 \cos 20^\circ)}{\cos 40^\circ}"),
    (r"(2,3,-1)", r"\left( -\frac{16}{7}, 1 - 2i \left( 4 - \frac{3 \sqrt{2}}{2} \right) \right)"),
    (r"\text{west}", "A town in the north"),
)
"""Parsing and comparing these fills the caches of the parser and of sympy, which workers inherit."""
_LATE_IMPORTS = ("sympy.integrals.manualintegrate",)
"""Modules that sympy imports on first use and workers could not: defining a dataclass executes generated code."""


def main() -> None:
    """Serve until the parent closes the socket or dies. Started by orz_bench.grading.workers.pool."""
    settings: dict[str, Any] = json.loads(sys.argv[-1])
    leave_signals_to_parent()
    logging.disable(logging.CRITICAL)
    control = socket.socket(fileno=settings["descriptor"])
    try:
        judge = _load_judge(settings["subject"])
        gc.collect()
        gc.freeze()
    except Exception as error:  # sent to the parent, which raises it
        control.send(json.dumps({"failure": f"{type(error).__name__}: {error}"}).encode())
        return
    control.settimeout(POLL_S)
    with contextlib.suppress(ConnectionError):
        control.send(b"{}")
        _serve(control, judge, settings=settings)


def _load_judge(subject: Subject) -> Judge:
    """The function that judges a job, with all libraries loaded and warmed up."""
    if subject == "instructions":
        from orz_bench.grading.instructions import load_judge

        return load_judge()
    sys.modules.update(dict.fromkeys(("numpy", "scipy")))  # type: ignore[arg-type]  # otherwise sympy loads them, with their threads, if installed
    from orz_bench.grading.math.judge import judge
    from orz_bench.grading.math.no_execution import read_numbers_without_eval

    for name in _LATE_IMPORTS:
        import_module(name)
    read_numbers_without_eval()
    for gold, answer in _WARM_UP:
        judge(Job(gold, answer, strict=True))
    return judge


def _serve(control: socket.socket, judge: Judge, *, settings: Mapping[str, Any]) -> None:
    while os.getppid() == settings["parent_pid"]:
        try:
            message, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        except TimeoutError:
            continue
        if not message:
            return
        if descriptors:
            answer = {"pid": _fork(control, judge, descriptor=descriptors[0], settings=settings)}
        else:
            answer = {"status": _end(int(message))}
        control.send(json.dumps(answer).encode())


def _fork(control: socket.socket, judge: Judge, *, descriptor: int, settings: Mapping[str, Any]) -> int:
    host_pid = os.getpid()
    pid = os.fork()
    if pid:
        os.close(descriptor)
        return pid
    try:
        control.close()
        limits = {name: settings[name] for name in ("memory_gib", "cpu_s")}
        work(socket.socket(fileno=descriptor), judge, host_pid=host_pid, **limits)
    finally:
        os._exit(1)


def _end(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
