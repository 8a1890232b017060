"""Requests in flight: additive increase, multiplicative decrease."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from orz_bench.engines.openai.answers import BadAnswerError, Trouble
from orz_bench.engines.openai.window import Window


async def one(window: Window, trouble: Trouble | None = None, *, wait_s: float | None = None) -> None:
    with contextlib.suppress(BadAnswerError):
        async with window.place():
            await _answer(trouble, wait_s)


async def _answer(trouble: Trouble | None, wait_s: float | None) -> None:
    await asyncio.sleep(0)
    if trouble is not None:
        raise BadAnswerError("", trouble, wait_s=wait_s)


async def some(window: Window, count: int, trouble: Trouble | None = None) -> None:
    await asyncio.gather(*(one(window, trouble) for _ in range(count)))


def test_one_overload_halves_it_once_and_rounds_of_answers_raise_it_by_one() -> None:
    async def run() -> list[int]:
        window = Window(16)
        limits = [window.limit]
        await some(window, 16, "busy")  # all sent together: one decrease
        limits.append(window.limit)
        for _ in range(3):
            await some(window, window.limit + 1)
            limits.append(window.limit)
        await some(window, 400)
        limits.append(window.limit)
        return [*limits, window.least]

    assert asyncio.run(run()) == [16, 8, 9, 10, 11, 16, 8]


@pytest.mark.parametrize(("trouble", "limit"), [("busy", 4), ("connection", 4), ("odd", 8), ("refused", 8)])
def test_only_an_overload_decreases_it(trouble: Trouble, limit: int) -> None:
    async def run() -> int:
        window = Window(8)
        await one(window, trouble)
        return window.limit

    assert asyncio.run(run()) == limit


def test_it_never_closes_and_never_lets_too_many_in() -> None:
    async def run() -> list[int]:
        window, inside, most = Window(6), 0, [0]

        async def count() -> None:
            nonlocal inside
            async with window.place():
                inside += 1
                most[0] = max(most[0], inside)
                await asyncio.sleep(0)
                inside -= 1

        for _ in range(9):
            await one(window, "busy")
        lowest = window.limit
        await asyncio.gather(*(count() for _ in range(2)))
        return [lowest, most[0]]

    assert asyncio.run(run()) == [1, 1]


def test_nothing_is_sent_before_the_time_that_the_server_asks_for() -> None:
    async def run() -> float:
        window = Window(2)
        loop = asyncio.get_running_loop()
        start = loop.time()
        await one(window, "busy", wait_s=0.05)
        await one(window)
        return loop.time() - start

    assert asyncio.run(run()) >= 0.05
