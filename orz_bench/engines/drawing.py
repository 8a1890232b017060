"""Samples of one engine that are drawn in short turns, so that what is unfinished can go on with other weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Sequence

from orz_bench.engines.engine import Drawing, Sampling, TrainedEngine
from orz_bench.records.rollout import Completion, Request

_SECONDS_A_TURN = 0.1
"""After which an engine reports, and may be asked for what is unfinished: how long new weights wait for it."""


class DrawingLoop:
    """The samples that an engine has in hand, from turn to turn."""

    def __init__(self, engine: TrainedEngine) -> None:
        self._engine = engine
        self._drawing: Drawing | None = None

    def draw_some(self, requests: Sequence[Request], sampling: Sampling) -> list[Completion]:
        """Add these requests, go on for about a tenth of a second, and return the samples that are complete."""
        self._drawing = drawing = self._drawing or self._engine.draw(sampling)
        drawing.add(requests)
        ends_at = time.monotonic() + _SECONDS_A_TURN
        found: list[Completion] = []
        while drawing.num_open:
            found += drawing.step()
            if time.monotonic() >= ends_at:
                break
        if not drawing.num_open:
            self.take_unfinished()  # other weights may come
        return found

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in hand."""
        return self._drawing is None

    def take_unfinished(self) -> list[Request]:
        """The requests in hand, with what was drawn of each; none is in hand afterwards."""
        drawing, self._drawing = self._drawing, None
        return drawing.end() if drawing else []


def draw_here(
    engine: TrainedEngine, requests: Iterable[Request], *, sampling: Sampling, until: Callable[[], bool]
) -> Generator[list[Completion], None, list[Request]]:
    """Lists of completions, possibly empty, until all are there, or `until()`; returns what was read and not finished.

    Nothing is read once `until()` is true: what has not begun may begin with other weights.
    """
    loop, num_open, waiting = DrawingLoop(engine), 0, iter(requests)
    while not until():
        new = list(waiting)
        num_open += len(new)
        if not num_open:
            break
        found = loop.draw_some(new, sampling)
        num_open -= len(found)
        yield found
    return loop.take_unfinished()
