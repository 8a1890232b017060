"""A worker process: limited in memory and CPU time, unable to run code made from an answer, ended with its host.

A job that uses up its CPU time ends the process by SIGPROF, whatever it is doing: no handler has to run.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

from orz_bench.grading.jobs import Job, Reply
from orz_bench.grading.workers.forbidden import forbid_execution
from orz_bench.signals import leave_signals_to_parent

_PR_SET_PDEATHSIG = 1
_GARBAGE_THRESHOLD = 200_000
"""Objects between two collections: sympy creates many and keeps most, and scanning them all costs 15 %."""

Judge = Callable[[Job], Reply]

_refused: list[str] = []
"""Forbidden actions that the current job tried. Libraries swallow the exception, so they are recorded here."""


def work(connection: socket.socket, judge: Judge, *, memory_gib: float, cpu_s: float, host_pid: int) -> NoReturn:
    """Answer jobs, one per line, until the connection ends; each may use `cpu_s` seconds of CPU time."""
    _bound_this_process(memory_gib, host_pid)
    limit_kib = memory_gib * 2**20
    gc.set_threshold(_GARBAGE_THRESHOLD)
    with connection.makefile("rb") as lines:
        forbid_execution(_refused.append)
        for line in lines:
            job = Job.from_line(line)
            signal.setitimer(signal.ITIMER_PROF, cpu_s)
            reply = _reply(job, judge, memory_gib=memory_gib)
            signal.setitimer(signal.ITIMER_PROF, 0)
            is_spent = reply.worker_ends or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > limit_kib / 2
            connection.sendall(replace(reply, worker_ends=is_spent).to_line())
    os._exit(0)


def _reply(job: Job, judge: Judge, *, memory_gib: float) -> Reply:
    _refused.clear()
    try:
        reply = judge(job)
    except MemoryError:
        return Reply("error", f"grading needs more than {memory_gib:g} GiB of memory", worker_ends=True)
    except RecursionError:
        return Reply("error", "the answer is nested too deeply")
    except Exception as error:  # one bad answer becomes a reply with the error
        return Reply("error", f"grading failed: {type(error).__name__}: {error}"[:300])
    if _refused and reply.verdict != "correct":
        return Reply("error", f"grading would execute code made from the answer ({_refused[0]})")
    return reply


def _bound_this_process(memory_gib: float, host_pid: int) -> None:
    num_bytes = int(memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (num_bytes, num_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    leave_signals_to_parent()
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != host_pid:  # the host died before the line above
        os._exit(0)
