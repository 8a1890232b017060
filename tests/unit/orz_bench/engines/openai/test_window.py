"""Requests in flight: additive increase, multiplicative decrease, and pauses, on a clock that does not wait."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from orz_bench.engines.openai.answers import BadAnswerError, Trouble
from orz_bench.engines.openai.window import Window
from tests.support.virtual_time import now, run


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
    async def limits() -> list[int]:
        window = Window(16)
        found = [window.limit]
        await some(window, 16, "limited")  # all sent together: one decrease
        found.append(window.limit)
        for _ in range(3):
            await some(window, window.limit + 1)
            found.append(window.limit)
        await some(window, 400)
        return [*found, window.limit, window.least]

    assert run(limits()) == [16, 8, 9, 10, 11, 16, 8]


@pytest.mark.parametrize(
    ("troubles", "limit"),
    [
        (["limited"], 4),
        (["busy"], 8),
        (["connection"], 8),
        (["busy", "connection"], 4),
        (["busy", None, "busy", None], 8),
        (["odd", "odd", "odd"], 8),
        (["refused", "refused"], 8),
    ],
)
def test_a_single_failure_is_no_overload_unless_the_server_says_so(troubles: list[Trouble | None], limit: int) -> None:
    async def last() -> int:
        window = Window(8)
        for trouble in troubles:
            await one(window, trouble)
        return window.limit

    assert run(last()) == limit


def test_it_never_closes_and_never_lets_too_many_in() -> None:
    async def counts() -> tuple[int, int, int]:
        window, inside, most = Window(6), 0, 0

        async def count() -> None:
            nonlocal inside, most
            async with window.place():
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        for _ in range(9):
            await one(window, "limited")
        lowest, alone = window.limit, window.num_alone
        await asyncio.gather(*(count() for _ in range(2)))
        assert window.num_alone == 0
        return lowest, most, alone

    assert run(counts()) == (1, 1, 7)


def test_pauses_are_as_the_server_asks_and_longer_while_it_takes_no_request_at_all() -> None:
    async def pauses(wait_s: float | None) -> list[float]:
        """Before each request but the first."""
        window, times = Window(4), []
        for _ in range(11):
            await one(window, "limited", wait_s=wait_s)
            times.append(now())
        await one(window)
        return [after - before for before, after in zip(times, [*times[1:], now()], strict=True)]

    doubling = [1, 2, 4, 8, 16, 30, 30, 30]
    assert run(pauses(None)) == pytest.approx([0.5, 0.5, 0.5, *doubling])
    assert run(pauses(0.01)) == pytest.approx([0.01, 0.01, 0.01, *doubling])
    assert run(pauses(90)) == pytest.approx([90] * 11)


def test_a_pause_that_is_lengthened_meanwhile_is_waited_for() -> None:
    async def sent_at() -> float:
        window = Window(4)
        await one(window, "limited", wait_s=1)

        async def refused_meanwhile() -> None:
            await asyncio.sleep(0.5)
            window._note(BadAnswerError("", "limited", wait_s=3), sent_after=0)

        await asyncio.gather(one(window), refused_meanwhile())
        return now()

    assert run(sent_at()) == pytest.approx(3.5)
