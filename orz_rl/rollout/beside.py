"""The thread that samples while another one trains: its start, its end, its error, and what both threads wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class SamplingThread:
    """A thread that runs `work` once, from the first weights on until it returns, fails or is closed."""

    def __init__(self, work: Callable[[], None], *, interrupt: Callable[[], None]) -> None:
        """`interrupt` makes what `work` waits for fail soon."""
        self._work, self._interrupt = work, interrupt
        self.changed = threading.Condition()
        """Guards what both threads see; notified whenever something of it changed."""
        self.engines_hold = -1
        """The version of the weights that the engines have, or newer ones."""
        self.is_closed = False
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it was started."""
        return self._thread is not None

    def hold(self, version: int) -> None:
        """The engines have these weights, or newer ones, from now on."""
        with self.changed:
            self.engines_hold = version
            self.changed.notify_all()

    def begin(self) -> None:
        """Start it, unless it was started."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="orz-sampling", daemon=True)
            self._thread.start()

    def first(self, found: Callable[[], T | None]) -> T:
        """What `found` returns, as soon as that is not None. Raises the thread's error if it ended before that."""
        with self.changed:
            while (result := found()) is None and self._error is None:
                self.changed.wait()
        if result is not None:
            return result
        assert self._error is not None
        raise self._error

    def close(self) -> None:
        """Stop it; what it has finished is kept."""
        with self.changed:
            self.is_closed = True
            self.changed.notify_all()
        if self._thread is not None:
            self._interrupt()
            self._thread.join()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # raised where its results are taken: see first()
            with self.changed:
                self._error = error
                self.changed.notify_all()
