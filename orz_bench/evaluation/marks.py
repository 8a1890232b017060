"""Start a run of evaluations and mark its end; only commands that wrote into the run mark it.

A command that is refused, or finds nothing missing, leaves the run as it is. If several commands share a run, the last
to end marks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

from orz_bench.errors import OrzError, RunDirError
from orz_bench.records.run_dir import RunDir


class Marks:
    """A context manager around all evaluations of a command; call `begin` when one is locked and about to run."""

    def __init__(
        self,
        run: RunDir,
        *,
        command: Sequence[str],
        seed: int,
        config: str,
        environment: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._run, self._command, self._seed = run, command, seed
        self._config, self._environment = config, environment
        self._stack = ExitStack()
        self._is_alone: Callable[[], bool] | None = None
        self._has_begun = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._stack:
            if error is None:
                self._end("DONE", "finished")
            elif self._has_begun or not self._run.exists():
                with suppress(RunDirError):  # the error itself matters more
                    self._end("FAILED", _why(error))

    def begin(self) -> None:
        """Start the run, or join it."""
        if self._has_begun:
            return
        run = self._run
        run.create(kind="eval", command=self._command, seed=self._seed, environment=self._environment())
        if run.info().get("kind") == "eval":
            self._is_alone = self._stack.enter_context(run.shared())
        if self._is_alone is not None:
            run.mark("")
            run.write_config(self._config)
        run.add_event("evaluation_started", command=list(self._command))
        self._has_begun = True

    def _end(self, state: str, text: str) -> None:
        """Mark the run. One that lacked nothing is marked only where its last mark says otherwise, and may be."""
        if not self._has_begun and state == "DONE":
            if self._run.state() == "done":
                return
            with suppress(RunDirError):
                self.begin()
                self._mark(state, text)
            return
        self.begin()
        self._mark(state, text)

    def _mark(self, state: str, text: str) -> None:
        if self._is_alone is not None and self._is_alone():
            self._run.mark(state, text)
        self._run.add_event("evaluation_done" if state == "DONE" else "evaluation_stopped", text=text)


def _why(error: BaseException) -> str:
    if isinstance(error, OrzError | KeyboardInterrupt):
        return str(error) or "stopped by the user"
    return f"{type(error).__name__}: {error}"
