"""How many requests are in flight: halved when the server is overloaded, one more after each round of answers.

Additive increase, multiplicative decrease, as in TCP. It starts at the most that the user allows; requests that were
sent before the last decrease do not decrease it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orz_bench.engines.openai.answers import BadAnswerError, Trouble

_OVERLOAD: tuple[Trouble, ...] = ("busy", "connection")


class Window:
    """Used by the tasks of one event loop."""

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._num_decreases = most, float(most), 0
        self._in_flight, self._not_before = 0, 0.0
        self._free = asyncio.Condition()
        self.least = most
        """The fewest that were allowed at once."""

    @property
    def limit(self) -> int:
        """The number of requests that may be in flight now."""
        return int(self._limit)

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait until another request may be sent. What becomes of it inside decides how many may follow."""
        async with self._free:
            await self._free.wait_for(lambda: self._in_flight < self.limit)
            self._in_flight += 1
        try:
            await asyncio.sleep(self._not_before - asyncio.get_running_loop().time())
            sent_after = self._num_decreases
            try:
                yield
            except BadAnswerError as error:
                if error.trouble in _OVERLOAD:
                    self._decrease(error.wait_s, sent_after=sent_after)
                raise
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
        finally:
            self._in_flight -= 1
            async with self._free:
                self._free.notify(max(0, self.limit - self._in_flight))

    def _decrease(self, wait_s: float | None, *, sent_after: int) -> None:
        """Half as many requests, and none before `wait_s` has passed."""
        if wait_s is not None:
            self._not_before = max(self._not_before, asyncio.get_running_loop().time() + wait_s)
        if sent_after < self._num_decreases:
            return
        self._num_decreases += 1
        self._limit = max(1.0, self._limit / 2)
        self.least = min(self.least, self.limit)
