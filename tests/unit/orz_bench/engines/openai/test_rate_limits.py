"""Requests to simulated servers that take so many at a time, or so many a minute, on a clock that does not wait."""

from __future__ import annotations

import asyncio
import queue
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from orz_bench.engines.openai.answers import Answer, BadAnswerError
from orz_bench.engines.openai.generation import Arrived, Generation
from orz_bench.engines.settings import ServerSettings
from orz_bench.errors import EngineError
from orz_bench.records.rollout import Request
from tests.support.builders import a_problem, a_request
from tests.support.virtual_time import now, run


@dataclass
class Simulated:
    """Works for a second on a request that it takes, and refuses the others."""

    takes: Callable[[Simulated, Request], bool]
    wait_s: Callable[[], float | None] = lambda: None
    in_flight: int = 0
    most_in_flight: Counter[int] = field(default_factory=Counter)
    """By second."""
    taken: Counter[int] = field(default_factory=Counter)
    """By minute."""
    num_refused: int = 0

    async def sample(self, requests: Sequence[Request], client: Any) -> list[Answer]:
        if not self.takes(self, requests[0]):
            self.num_refused += 1
            raise BadAnswerError("HTTP 429", "limited", wait_s=self.wait_s())
        self.taken[int(now() // 60)] += 1
        self.in_flight += 1
        second = int(now())
        self.most_in_flight[second] = max(self.most_in_flight[second], self.in_flight)
        await asyncio.sleep(1)
        self.in_flight -= 1
        return [Answer(text="x", num_tokens=1, num_prompt_tokens=1, stop_reason="eos", model="m") for _ in requests]


@asynccontextmanager
async def no_client() -> AsyncIterator[Any]:
    yield None


def drawn(server: Simulated, num: int, *, concurrency: int = 64, **settings: Any) -> float:
    """Seconds until each of so many requests has an answer. EngineError, as the user gets it, if some have none."""
    arrived: Arrived = queue.Queue()
    generation = Generation(
        ServerSettings(concurrency=concurrency, **settings), no_client, notice=lambda _: None, shown="x"
    )
    requests = [a_request(problem=a_problem(problem_id=f"p{at}"), seed=at) for at in range(num)]

    async def all_of_them() -> float:
        await generation.generate_all(requests, server, arrived=arrived)
        return now()

    seconds = run(all_of_them())
    generation.report()
    assert arrived.qsize() == num
    return seconds


@pytest.mark.parametrize("concurrency", [1, 8, 64, 1024])
def test_as_many_requests_as_the_server_takes_are_in_flight(concurrency: int) -> None:
    server = Simulated(lambda server, _: server.in_flight < 6)
    seconds = drawn(server, 600, concurrency=concurrency)
    assert seconds < 1.5 * 600 / min(concurrency, 6) + 30
    assert server.num_refused < 1024 + 60


def test_fewer_are_in_flight_while_the_server_is_busy_and_more_afterwards() -> None:
    server = Simulated(lambda server, _: server.in_flight < (4 if now() < 100 else 32))
    drawn(server, 3000, concurrency=32)
    assert max(server.most_in_flight[second] for second in range(100)) == 4
    assert max(server.most_in_flight[second] for second in range(150, 160)) >= 28


@pytest.mark.parametrize("a_minute", [3, 60, 600])
@pytest.mark.parametrize("tells", ["nothing", "a second", "how long"])
def test_a_limit_of_requests_a_minute_loses_no_sample_and_is_used(a_minute: int, tells: str) -> None:
    """A minute's requests may come at once, then none until the next minute begins."""
    waits: dict[str, Callable[[], float | None]] = {
        "nothing": lambda: None,
        "a second": lambda: 1.0,
        "how long": lambda: 60 - now() % 60,
    }
    server = Simulated(lambda server, _: server.taken[int(now() // 60)] < a_minute, wait_s=waits[tells])
    assert drawn(server, 4 * a_minute) < 4 * 60 + 30
    assert server.num_refused < 64 + 40 * 4


def test_a_request_that_is_always_refused_ends_last_and_keeps_no_other_from_its_answer() -> None:
    """Some servers answer 429 to a request that is larger than their limit of tokens."""
    server = Simulated(lambda _, request: request.problem.problem_id != "p3")
    with pytest.raises(EngineError, match=r"1 sample has no answer \(p3, sample 0: HTTP 429"):
        drawn(server, 600, concurrency=16)
    assert sum(server.taken.values()) == 599


def test_a_request_that_is_refused_while_others_are_answered_is_not_given_up() -> None:
    server = Simulated(lambda server, request: request.problem.problem_id != "p3" or server.num_refused > 11)
    drawn(server, 600, concurrency=2, max_retries=2)
    assert server.num_refused == 12


def test_a_server_that_takes_no_more_requests_ends_the_run_in_minutes() -> None:
    server = Simulated(lambda server, _: sum(server.taken.values()) < 100)

    async def ends_after() -> float:
        generation = Generation(ServerSettings(), no_client, notice=lambda _: None, shown="x")
        requests = [a_request(problem=a_problem(problem_id=f"p{at}"), seed=at) for at in range(500)]
        with pytest.raises(ExceptionGroup) as caught:
            await generation.generate_all(requests, server, arrived=queue.Queue())
        assert isinstance(caught.value.exceptions[0], BadAnswerError)
        return now()

    assert 60 < run(ends_after()) < 240
