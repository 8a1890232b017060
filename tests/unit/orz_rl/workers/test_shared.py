"""Two threads, one set of engines: weights come between two lists, whole calls follow one another, nobody starves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import pytest

from orz_bench.engines.engine import Sampling
from orz_bench.engines.ray.pool import EngineLoop
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Completion, Request
from orz_rl.workers.cluster import EngineMethod, Sampler, Sources
from orz_rl.workers.shared import InTurn, SharedSampler
from tests.support.builders import a_completion, a_problem, a_request

REQUESTS = [a_request(problem=a_problem(problem_id=f"p{index}"), sample_index=0) for index in range(6)]


class Stamping(Sampler):
    """One completion at a time, with the version when its list is made; fails if weights come in the middle of one."""

    engines = (0,)

    def __init__(self) -> None:
        self.version, self.is_working = 0, False

    def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
        for request in requests:
            self.is_working = True
            found = a_completion(problem_id=request.problem.problem_id, policy_version=self.version)
            self.is_working = False
            yield [found]

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        waiting = iter(requests)
        while not until() and (request := next(waiting, None)) is not None:
            yield from self.generate([request], sampling)
        return list(waiting)

    def on_all(self, method: EngineMethod, sources: Sources | None = None, **settings: Any) -> None:
        assert not self.is_working
        self.version = settings["version"]

    def close(self) -> None:
        pass


def test_a_lock_is_given_in_the_order_in_which_it_was_asked_for() -> None:
    lock, order = InTurn(), list[str]()
    asked = threading.Event()

    def other() -> None:
        asked.set()
        with lock:
            order.append("other")

    thread = threading.Thread(target=other)
    with lock:
        thread.start()
        asked.wait()
        while not lock._waiting:
            pass
    for _ in range(3):  # takes it again and again, at once
        with lock:
            order.append("first")
    thread.join()
    assert order == ["other", "first", "first", "first"]


def test_weights_are_loaded_between_two_lists() -> None:
    shared = SharedSampler(Stamping())
    stream = shared.generate(REQUESTS, Sampling())
    versions = []
    for number, (completion,) in enumerate(stream, start=1):
        versions.append(completion.policy_version)
        with shared.updating():
            shared.load_weights({}, version=number)
    assert versions == [0, 1, 2, 3, 4, 5]


def test_a_second_call_waits_for_the_end_of_the_first() -> None:
    shared, ended = SharedSampler(Stamping()), list[str]()
    first = shared.generate(REQUESTS, Sampling())
    next(first)

    def evaluate() -> None:
        assert len(list(shared.generate(REQUESTS, Sampling()))) == 6
        ended.append("evaluation")

    thread = threading.Thread(target=evaluate)
    thread.start()
    while not shared._whole._waiting:
        pass
    assert len(list(first)) == 5
    ended.append("step")
    thread.join()
    assert sorted(ended) == ["evaluation", "step"]


class Endless(Stamping):
    """Never completes what it draws."""

    def draw(
        self, requests: Iterable[Request], sampling: Sampling, *, until: Callable[[], bool]
    ) -> Generator[list[Completion], None, list[Request]]:
        held = list(requests)
        while not until():
            yield []
        return held


@pytest.mark.parametrize("wants", ["evaluation", "weights"])
def test_whoever_wants_engines_that_draw_gets_them_and_what_is_unfinished_comes_back(wants: str) -> None:
    shared, returned, begun = SharedSampler(Endless(), carries=True), list[Request](), threading.Event()

    def turn() -> Iterator[list[Completion]]:
        returned.extend((yield from shared.draw(iter(REQUESTS), Sampling())))

    def draw() -> None:
        for _ in turn():
            begun.set()

    thread = threading.Thread(target=draw)
    thread.start()
    begun.wait()
    if wants == "weights":
        with shared.updating():
            shared.load_weights({}, version=3)
    else:
        assert len(list(shared.generate(REQUESTS, Sampling()))) == len(REQUESTS)
    thread.join()
    assert returned == REQUESTS


def test_an_interruption_reaches_whoever_waits_also_for_a_stream_that_nobody_closes() -> None:
    shared, errors = SharedSampler(Stamping()), list[BaseException]()
    abandoned = shared.generate(REQUESTS, Sampling())
    next(abandoned)

    def sample() -> None:
        with pytest.raises(EngineError, match="the run ends") as caught:
            list(shared.generate(REQUESTS, Sampling()))
        errors.append(caught.value)

    thread = threading.Thread(target=sample)
    thread.start()
    while not shared._whole._waiting:
        pass
    shared.interrupt()
    thread.join()
    assert len(errors) == 1


def test_what_an_engine_has_in_hand_is_finished_with_the_weights_that_began_it() -> None:
    """As vLLM does it: requests run together, so that some are unfinished when the first ones are reported."""

    class Together(Stamping):
        def generate(self, requests: Iterable[Request], sampling: Sampling) -> Iterator[list[Completion]]:
            waiting = iter(requests)
            running = list(waiting)
            while running:
                request = running.pop(0)
                yield [a_completion(problem_id=request.problem.problem_id, policy_version=self.version)]
                running += list(waiting)

    engine = Together()
    loop = EngineLoop(engine)
    assert loop.generate_some([], Sampling()) == []
    loop._feed.extend(REQUESTS[:4])
    loop._num_in_hand = 4
    loop._advance()  # one is finished, three are in hand
    loop.finish()
    engine.version = 1
    found = [each for part in loop.generate_some(REQUESTS[4:], Sampling()) for each in part]
    assert [(each.problem_id, each.policy_version) for each in found] == [
        *((f"p{index}", 0) for index in range(4)),
        *((f"p{index}", 1) for index in range(4, 4 + len(found) - 4)),
    ]
    assert loop.generate_some([], Sampling()) or len(found) == 6
