"""How many requests are in flight, and when the next one may be sent: what a server's answers say about its load.

Additive increase, multiplicative decrease, as in TCP: halved when the server is overloaded, one more after each round
of answers, from and up to the number that the user allows. Requests that were sent before the last decrease do not
decrease it again. A decrease is followed by a pause of all requests: as long as the server asks, and longer each time
where even one request at a time is too many.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orz_bench.engines.openai.answers import BadAnswerError

_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 30.0


class Window:
    """Used by the tasks of one event loop."""

    def __init__(self, most: int) -> None:
        self._most, self._limit, self._num_decreases = most, float(most), 0
        self._in_flight, self._not_before, self._num_unanswered = 0, 0.0, 0
        self._free = asyncio.Condition()
        self.least = most
        """The fewest that were allowed at once."""
        self.num_alone = 0
        """Overloads since the last answer while one request was allowed at a time."""

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
            await self._end_of_pause()
            sent_after = self._num_decreases
            try:
                yield
            except BadAnswerError as error:
                self._note(error, sent_after=sent_after)
                raise
            self._num_unanswered = self.num_alone = 0
            self._limit = min(float(self._most), self._limit + 1 / self._limit)
        finally:
            self._in_flight -= 1
            async with self._free:
                self._free.notify(max(0, self.limit - self._in_flight))

    async def _end_of_pause(self) -> None:
        until = self._not_before
        await asyncio.sleep(until - asyncio.get_running_loop().time())
        if self._not_before > until:  # lengthened meanwhile
            await self._end_of_pause()

    def _note(self, error: BadAnswerError, *, sent_after: int) -> None:
        """A failure is an overload if the server says so, or if it is the second one since the last answer."""
        if error.trouble not in ("limited", "busy", "connection"):
            return
        self._num_unanswered += 1
        self._pause(error.wait_s or 0.0)
        if sent_after < self._num_decreases or (error.trouble != "limited" and self._num_unanswered == 1):
            return
        self.num_alone += self.limit == 1
        if error.wait_s is None or self.num_alone > 1:
            self._pause(min(_LONGEST_PAUSE_S, _PAUSE_S * 2 ** max(0, self.num_alone - 1)))
        self._num_decreases += 1
        self._limit = max(1.0, self._limit / 2)
        self.least = min(self.least, self.limit)

    def _pause(self, wait_s: float) -> None:
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + wait_s)
