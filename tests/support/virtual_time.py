"""An event loop whose clock jumps to the next timer instead of waiting for it."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


class _Jumping(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "nothing is left to wait for"
        self.now += timeout
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Jumping()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def run(task: Coroutine[Any, Any, Result]) -> Result:
    """What the coroutine returns; `asyncio.sleep` takes no time.

    In a thread of its own: where a browser of other tests is open, Playwright's loop runs in this one.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(_run, task).result()


def _run(task: Coroutine[Any, Any, Result]) -> Result:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(task)


def now() -> float:
    """Seconds on the clock of the running loop, which starts at 0."""
    return asyncio.get_running_loop().time()
