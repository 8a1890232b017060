"""Engines that one thread samples with while another one gives them new weights, or evaluates with them.

Weights are loaded between two lists of completions, never while the sampling thread looks at the engines; a second
call of generate() waits for the end of the first.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType

from orz_bench.engines.engine import Sampling
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from orz_rl.workers.cluster import EngineMethod, Sampler, Sources


class InTurn:
    """A lock that is given in the order in which it was asked for: a thread that takes it again and again waits too."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._is_held = self._is_open = False

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it, or everybody may have it."""
        return bool(self._waiting) or self._is_open

    def open(self) -> None:
        """Let everybody in from now on: whoever holds it may never leave."""
        with self._mutex:
            self._is_open = True
            while self._waiting:
                self._waiting.popleft().set()

    def __enter__(self) -> None:
        with self._mutex:
            if self._is_open or not self._is_held:
                self._is_held = True
                return
            turn = threading.Event()
            self._waiting.append(turn)
        turn.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_held = False


class SharedSampler(Sampler):
    """A sampler for two threads."""

    def __init__(self, sampler: Sampler, *, carries: bool = False) -> None:
        """`carries`: the sampling thread draws samples that go on with new weights; otherwise it generates."""
        self._sampler, self._carries = sampler, carries
        self._whole, self._between = InTurn(), InTurn()
        self._is_interrupted = False

    @property
    def engines(self) -> tuple[int, ...]:
        """The numbers of the engines that are alive; they stay the same inside updating()."""
        return self._sampler.engines

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        """The sampler's lists. Raises EngineError after interrupt()."""
        with self._whole:
            self._require_going_on()
            stream = self._sampler.generate(requests, sampling)
            while True:
                with self._between:
                    self._require_going_on()
                    completions = next(stream, None)
                if completions is None:
                    return
                yield completions

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool] = lambda: False
    ) -> Generator[list[Completion], None, list[Request]]:
        """The sampler's lists, until another thread wants the engines: then what is unfinished is returned.

        Raises EngineError after interrupt().
        """
        with self._whole:
            self._require_going_on()
            return (yield from self._sampler.draw(requests, sampling, until=lambda: self._whole.is_wanted or until()))

    def updating(self) -> AbstractContextManager[None]:
        """A context in which the sampling thread pauses between two lists, or has taken back what is unfinished."""
        return self._whole if self._carries else self._between

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: object) -> None:
        """Call a method on every engine, inside updating()."""
        self._sampler.on_all(method, sources, **settings)

    def interrupt(self) -> None:
        """Let generate() fail at its next list."""
        self._is_interrupted = True
        self._whole.open()
        self._between.open()

    def close(self) -> None:
        """Stop the engines."""
        self._sampler.close()

    def _require_going_on(self) -> None:
        if self._is_interrupted:
            raise EngineError("sampling ahead was interrupted, because the run ends.")
