"""Samples that are drawn in short turns by an engine in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from orz_bench.engines.drawing import draw_here
from orz_bench.engines.engine import Sampling, TrainedEngine
from orz_bench.records.rollout import Completion, Request
from tests.support.builders import a_completion, a_request


class OneAStep:
    """A drawing that finishes one sample with every step."""

    def __init__(self) -> None:
        self._open: list[Request] = []

    @property
    def num_open(self) -> int:
        return len(self._open)

    def add(self, requests: Sequence[Request]) -> None:
        self._open += requests

    def step(self) -> list[Completion]:
        return [a_completion(sample_index=self._open.pop(0).sample_index)]

    def end(self) -> list[Request]:
        left, self._open = self._open, []
        return left


class Engine:
    def draw(self, sampling: Sampling) -> OneAStep:
        return OneAStep()


def requests(count: int) -> list[Request]:
    return [a_request(sample_index=index) for index in range(count)]


def drawn(given: Any, *, turns: int) -> tuple[list[int], list[int]]:
    """Samples that were completed in so many turns, and those that were returned."""
    left = iter([False] * turns)
    engine = cast("TrainedEngine", Engine())
    stream = draw_here(engine, given, sampling=Sampling(), until=lambda: next(left, True))
    found = list[int]()
    while True:
        try:
            found += [completion.sample_index for completion in next(stream)]
        except StopIteration as end:
            return found, [request.sample_index for request in end.value]


def test_all_are_drawn_without_an_interruption() -> None:
    assert drawn(requests(5), turns=1000) == ([0, 1, 2, 3, 4], [])


def test_nothing_is_read_once_it_is_interrupted() -> None:
    """A group that is read counts as begun with the weights of now, although new ones are about to come."""
    waiting = iter(requests(5))
    assert drawn(waiting, turns=0) == ([], [])
    assert [request.sample_index for request in waiting] == [0, 1, 2, 3, 4]
