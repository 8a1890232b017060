"""Workers for many programs at once: started when first needed, replaced when they end, all gone after close()."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from orz_bench.errors import ConfigError, GradingError
from orz_bench.sandbox.limits import Isolation, Limits, Outcome, Program
from orz_bench.sandbox.worker import Worker, WorkerGoneError

_MAX_ATTEMPTS = 3
_PACKAGES = ("numpy",)
"""What programs may import beside the standard library, where it is installed: LiveCodeBench's runner has it too."""


class Sandbox:
    """A place for programs that nobody trusts. Every method may be called from any thread."""

    def __init__(self, *, allow_weak_isolation: bool = False, namespaces: bool = True) -> None:
        """`namespaces=False` does without them even where there are some."""
        self._allow_weak = allow_weak_isolation
        self._try_namespaces = namespaces
        self._why_no_namespaces = "" if namespaces else "not wanted"
        self._lock = threading.Lock()
        self._free: list[Worker] = []
        self._busy: set[Worker] = set()
        self._is_closed = False

    def check(self) -> Isolation:
        """What keeps programs in, on this machine. Raises ConfigError where that is not enough and not allowed."""
        with self._worker() as worker:
            return self._isolation_of(worker)

    def run(self, program: Program, texts: Iterable[str], *, limits: Limits) -> Generator[Outcome]:
        """Run the program once with each of these on its standard input, as far as the outcomes are asked for.

        Raises GradingError where the machinery itself fails.
        """
        with self._worker() as worker:
            worker.load(program)
            for text in texts:
                try:
                    yield worker.run(text, limits)
                except WorkerGoneError:
                    yield self._run_elsewhere(program, text, limits=limits)

    def close(self) -> None:
        """End all processes; runs in flight fail with GradingError."""
        with self._lock:
            self._is_closed = True
            workers = [*self._free, *self._busy]
            self._free.clear()
        for worker in workers:
            worker.close()

    def _run_elsewhere(self, program: Program, text: str, *, limits: Limits) -> Outcome:
        """A worker may have been killed from outside: the run gets others."""
        reason = ""
        for _ in range(_MAX_ATTEMPTS - 1):
            with closing(self._started()) as worker:
                try:
                    worker.load(program)
                    return worker.run(text, limits)
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
            raise GradingError("the sandbox is closed; open another.")
        try:
            worker = self._first_that_starts()
        except WorkerGoneError as error:
            raise GradingError(f"the sandbox for programs does not start: {error}.") from error
        if not (self._isolation_of(worker).is_adequate or self._allow_weak):
            isolation = self._isolation_of(worker)
            worker.close()
            raise ConfigError(
                f"programs written by a model would run with {isolation}. That does not keep a hostile program in; wanted: "
                f"a seccomp filter, and namespaces or Landlock (docs/security.md). Allow user namespaces, or use a kernel "
                f"with Landlock (5.13 or later); pass --allow-weak-isolation only where the whole machine may be lost."
            )
        return worker

    def _first_that_starts(self) -> Worker:
        packages = _folders_of_packages()
        if self._try_namespaces:
            try:
                return Worker(packages=packages, namespaces=True)
            except WorkerGoneError as error:
                self._why_no_namespaces = str(error)
                self._try_namespaces = False
        return Worker(packages=packages, namespaces=False)

    def _isolation_of(self, worker: Worker) -> Isolation:
        found = worker.isolation
        why = "" if found.namespaces else self._why_no_namespaces
        return Isolation(
            namespaces=found.namespaces, seccomp=found.seccomp, landlock=found.landlock, why_no_namespaces=why
        )


def _folders_of_packages() -> list[str]:
    """Where these packages lie, with the libraries that their wheels bring, found without importing them."""
    folders = []
    for name in _PACKAGES:
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            package = Path(spec.origin).parent
            folders += [package, package.with_name(f"{name}.libs")]
    return [str(folder) for folder in folders if folder.is_dir()]
