"""Workers for many programs at once: started on first use, replaced when they end, and ended by close()."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path

from orz_bench.errors import ConfigError, GradingError
from orz_bench.sandbox.limits import Isolation, Limits, Outcome, Program
from orz_bench.sandbox.worker import Worker, WorkerGoneError

_MAX_ATTEMPTS = 3
_AHEAD, _AHEAD_CHARACTERS = 64, 2**20
"""Maximum number of tests in progress at once, and maximum total characters of their inputs."""
_PACKAGES = ("numpy",)
"""Packages that programs may import besides the standard library, if installed, as in LiveCodeBench's runner."""


class Sandbox:
    """Runs untrusted programs. Every method may be called from any thread."""

    def __init__(
        self, *, allow_weak_isolation: bool = False, namespaces: bool = True, python: str = sys.executable
    ) -> None:
        """`namespaces=False` disables them even if available. Programs run with this Python."""
        self._python = python
        self._allow_weak = allow_weak_isolation
        self._try_namespaces = namespaces
        self._why_no_namespaces = "" if namespaces else "not wanted"
        self._lock = threading.Lock()
        self._free: list[Worker] = []
        self._busy: set[Worker] = set()
        self._is_closed = False

    def check(self) -> Isolation:
        """The isolation of programs on this machine. Raises ConfigError if it is too weak and that is not allowed."""
        with self._worker() as worker:
            return self._isolation_of(worker)

    @contextmanager
    def session(self, program: Program, *, limits: Limits, inputs: Sequence[str] = ()) -> Iterator[Session]:
        """A worker that runs this program on any number of tests.

        `inputs`: all of them in order, if known; a test then starts while the previous one is being compared.
        """
        with self._worker() as worker:
            worker.load(program, limits)
            try:
                yield Session(self, worker, program=program, limits=limits, inputs=inputs)
            finally:
                worker.unload()

    def close(self) -> None:
        """End all processes; runs in flight fail with GradingError."""
        with self._lock:
            self._is_closed = True
            free, busy = list(self._free), list(self._busy)
            self._free.clear()
        for worker in busy:
            worker.kill()  # the user closes it
        for worker in free:
            worker.close()

    def run_elsewhere(self, program: Program, text: str, *, limits: Limits) -> Outcome:
        """Run it in a worker, and in a new one if the worker was killed from outside. Raises GradingError."""
        reason = ""
        for _ in range(_MAX_ATTEMPTS - 1):
            with closing(self._started()) as worker:
                try:
                    worker.load(program, limits)
                    worker.begin([text], is_last=True)
                    return worker.next(output_bytes=limits.output_bytes)
                except WorkerGoneError as error:
                    reason = str(error)
        raise GradingError(f"the sandbox failed {_MAX_ATTEMPTS} times on one program: {reason}.")

    @contextmanager
    def _worker(self) -> Iterator[Worker]:
        with self._lock:
            worker = self._free.pop() if self._free else None
        worker = worker or self._started()
        with self._lock:
            self._busy.add(worker)
        try:
            yield worker
        finally:
            with self._lock:
                self._busy.discard(worker)
                is_reusable = worker.is_alive and not self._is_closed
                if is_reusable:
                    self._free.append(worker)
            if not is_reusable:
                worker.close()

    def _started(self) -> Worker:
        if self._is_closed:
            raise GradingError("the sandbox is closed; open a new one.")
        try:
            worker = self._first_that_starts()
        except WorkerGoneError as error:
            raise GradingError(f"the sandbox for programs cannot start: {error}.") from error
        if not (self._isolation_of(worker).is_adequate or self._allow_weak):
            isolation = self._isolation_of(worker)
            worker.close()
            raise ConfigError(
                f"programs written by a model would run with {isolation}. That does not contain a hostile program; "
                f"wanted: a seccomp filter, and namespaces or Landlock (docs/security.md). Allow user namespaces, or "
                f"use a kernel with Landlock (5.13 or later); pass --allow-weak-isolation only if the whole "
                f"machine may be lost."
            )
        return worker

    def _first_that_starts(self) -> Worker:
        packages = _folders_of_packages()
        if self._try_namespaces:
            try:
                return Worker(packages=packages, namespaces=True, python=self._python)
            except WorkerGoneError as error:
                self._why_no_namespaces = str(error)
                self._try_namespaces = False
        return Worker(packages=packages, namespaces=False, python=self._python)

    def _isolation_of(self, worker: Worker) -> Isolation:
        found = worker.isolation
        why = "" if found.namespaces else self._why_no_namespaces
        return replace(found, why_no_namespaces=why)


class Session:
    """Runs one program."""

    def __init__(
        self, sandbox: Sandbox, worker: Worker, *, program: Program, limits: Limits, inputs: Sequence[str]
    ) -> None:
        self._sandbox = sandbox
        self._worker = worker
        self._program = program
        self._limits = limits
        self._inputs = inputs
        self._num_runs = 0

    def run(self, text: str, *, is_fresh: bool = False, output_bytes: int | None = None) -> Outcome:
        """Run it with this standard input. Raises GradingError.

        `is_fresh`: in a new process, even if the previous one can be reused. `output_bytes`: limit of its output, if
        that is lower than the general one.
        """
        most = self._limits.output_bytes
        most = most if output_bytes is None else min(output_bytes, most)
        try:
            if not self._worker.is_under_way:
                self._begin(text, is_fresh=is_fresh)
            return self._worker.next(output_bytes=most)
        except WorkerGoneError:
            return self._sandbox.run_elsewhere(self._program, text, limits=replace(self._limits, output_bytes=most))
        finally:
            self._num_runs += 1

    def _begin(self, text: str, *, is_fresh: bool) -> None:
        """This test, and the following ones if the program's process is kept: most wrong programs fail the first."""
        num = _AHEAD if self._worker.has_process and not is_fresh else 1
        texts = self._inputs[self._num_runs : self._num_runs + num]
        sizes = accumulate(map(len, texts))
        texts = [text, *(ahead for ahead, size in list(zip(texts, sizes, strict=True))[1:] if size < _AHEAD_CHARACTERS)]
        is_last = self._num_runs + len(texts) == len(self._inputs)
        self._worker.begin(texts, is_fresh=is_fresh, is_last=is_last)


def _folders_of_packages() -> list[str]:
    """Folders of these packages and of the libraries in their wheels, found without importing them."""
    folders = []
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            package = Path(spec.origin).parent
            folders += [package, package.with_name(f"{name}.libs")]
    return [str(folder) for folder in folders if folder.is_dir()]
