"""Grade completions and commit them, on a separate thread, so that the engine never waits for a slow answer.

Completions that arrive together are committed together. A part is written when enough rows wait, when some seconds have
passed, and at the end, also after an error or Ctrl-C: a `kill -9` loses unfinished samples and the last few seconds.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Completion, Grade, Request, Rollout

PART_ROWS = 512
PART_SECONDS = 5.0
_QUEUE_BATCHES = 16


class AnswerGrader(Protocol):
    """The part of a grader that the recorder uses."""

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        """One grade a submission, in order."""
        ...


class ToRollout(Protocol):
    """Joins request, completion and grade into a row."""

    def __call__(self, request: Request, completion: Completion, *, grade: Grade) -> Rollout:
        """The row of one sample."""
        ...


class Parts(Protocol):
    """Where rows are committed."""

    def append(self, rollouts: Sequence[Rollout]) -> None:
        """Commit these rows as one part."""
        ...


class Recorder:
    """A context manager: `add` completions inside it; they are on disk when it is left.

    An error on the recorder's thread (a full disk, say) is raised by the next `add`, or on leaving.
    """

    def __init__(
        self,
        folder: Parts,
        grader: AnswerGrader,
        *,
        requests: Sequence[Request],
        to_rollout: ToRollout,
        on_committed: Callable[[Sequence[Rollout]], None],
        part_seconds: float = PART_SECONDS,
    ) -> None:
        self._part_seconds = part_seconds
        self._folder = folder
        self._grader = grader
        self._requests = {request.key: request for request in requests}
        self._to_rollout = to_rollout
        self._on_committed = on_committed
        self._waiting: list[Rollout] = []
        self._last_commit = time.monotonic()
        self._error: BaseException | None = None
        self._queue: queue.Queue[list[Completion] | None] = queue.Queue(maxsize=_QUEUE_BATCHES)
        self._thread = threading.Thread(target=self._work, name="orz-recorder", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def expect(self, requests: Iterable[Request]) -> None:
        """More requests whose completions may come."""
        self._requests.update((request.key, request) for request in requests)

    def add_all(self, lists: Iterable[list[Completion]]) -> None:
        """Record everything that an engine generates."""
        for completions in lists:
            self.add(completions)

    def add(self, completions: list[Completion]) -> None:
        """Hand over completions that belong together; waits only where grading has fallen far behind."""
        if self._error is not None:
            raise self._error
        self._queue.put(completions)

    def _work(self) -> None:
        open_for_more = True
        while open_for_more:
            try:
                batch = self._queue.get(timeout=self._part_seconds)
            except queue.Empty:
                batch = []
            open_for_more = batch is not None
            try:
                self._grade(batch or [])
                self._commit(force=not open_for_more)
            except BaseException as error:  # carried to the caller's thread: see add() and __exit__()
                self._error = self._error or error

    def _grade(self, completions: list[Completion]) -> None:
        if self._error is not None or not completions:
            return
        requests = [self._requests.pop(completion.key) for completion in completions]
        submissions = [
            Submission(
                gold=request.problem.gold,
                kind=request.problem.kind,
                num_choices=request.problem.num_choices,
                response=completion.text,
            )
            for request, completion in zip(requests, completions, strict=True)
        ]
        grades = self._grader.grade(submissions)
        self._waiting += [
            self._to_rollout(request, completion, grade=grade)
            for request, completion, grade in zip(requests, completions, grades, strict=True)
        ]

    def _commit(self, *, force: bool) -> None:
        overdue = time.monotonic() - self._last_commit > self._part_seconds
        if not self._waiting or not (force or overdue or len(self._waiting) >= PART_ROWS):
            return
        self._folder.append(self._waiting)
        committed, self._waiting = self._waiting, []
        self._last_commit = time.monotonic()
        self._on_committed(committed)
