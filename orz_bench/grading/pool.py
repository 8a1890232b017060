"""The caller's side of the grading host: start it, send jobs from any thread, start it again should it die."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from typing import cast

from orz_bench.errors import GradingError
from orz_bench.records.rollout import Verdict

_MAX_DEATHS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One comparison."""

    gold: str
    answer: str
    strict: bool
    free_text: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a worker, or its end, said."""

    verdict: Verdict
    why: str


class WorkerPool:
    """Killable grading processes. Thread-safe; every job gets its decision within its deadline of being started."""

    def __init__(self, *, num_workers: int, deadline_s: float, memory_gib: float) -> None:
        self._arguments = [str(num_workers), str(deadline_s), str(int(memory_gib * 2**30))]
        self._lock = threading.Lock()
        self._ids = itertools.count()
        self._pending: dict[int, tuple[Job, Future[Decision]]] = {}
        self._num_deaths = 0
        self._closed = False
        self._host = self._start()

    def decide(self, jobs: Sequence[Job]) -> list[Decision]:
        """The decisions, in order. Raises GradingError where the host keeps dying."""
        futures: list[Future[Decision]] = []
        with self._lock:
            if self._closed:
                raise GradingError("this grader is closed; make a new one to grade with.")
            for job in jobs:
                future: Future[Decision] = Future()
                job_id = next(self._ids)
                self._pending[job_id] = (job, future)
                futures.append(future)
                self._send(job_id, job)
            self._flush()
        return [future.result() for future in futures]

    def close(self) -> None:
        """End the host and its workers; safe to call twice."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            host = self._host
        try:
            if host.stdin:
                host.stdin.close()
        except BrokenPipeError:
            pass
        try:
            host.wait(timeout=5)
        except subprocess.TimeoutExpired:
            host.kill()
            host.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        host = subprocess.Popen(
            [sys.executable, "-m", "orz_bench.grading.host", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env=environment,
        )
        threading.Thread(target=self._listen, args=(host,), name="orz-grading", daemon=True).start()
        return host

    def _send(self, job_id: int, job: Job) -> None:
        line = json.dumps({"id": job_id} | asdict(job)).encode() + b"\n"
        try:
            if self._host.stdin:
                self._host.stdin.write(line)
        except BrokenPipeError:
            return  # _listen sees the end of the host and sends every pending job again

    def _flush(self) -> None:
        try:
            if self._host.stdin:
                self._host.stdin.flush()
        except BrokenPipeError:
            return

    def _listen(self, host: subprocess.Popen[bytes]) -> None:
        for line in host.stdout or ():
            reply = json.loads(line)
            with self._lock:
                self._num_deaths = 0
                _, future = self._pending.pop(reply["id"])
            future.set_result(Decision(cast(Verdict, reply["verdict"]), reply["why"]))
        host.wait()
        if host.stdout:
            host.stdout.close()
        self._after_death(host.returncode)

    def _after_death(self, code: int | None) -> None:
        with self._lock:
            self._num_deaths += 1
            if self._closed or self._num_deaths > _MAX_DEATHS:
                lost, self._pending = list(self._pending.values()), {}
                self._closed = True
            else:
                lost = []
                self._host = self._start()
                for job_id, (job, _) in self._pending.items():
                    self._send(job_id, job)
                self._flush()
        for _, future in lost:
            future.set_exception(
                GradingError(
                    f"the grading process ended with code {code}, {self._num_deaths} times in a row. Is memory short, or "
                    f"math-verify not installed in this Python? Nothing that was committed is lost."
                )
            )
