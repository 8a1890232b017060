"""Turns of threads: some may share the machine, others must have it to themselves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """Many threads run at a time, or one alone. One that waits to run alone goes before those that come later."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._num_running = 0
        self._num_wanting_alone = 0

    @contextlib.contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        """Wait until nobody else runs (alone), or until nobody runs alone or waits to (beside others)."""
        with self._changed:
            self._num_wanting_alone += alone
            self._changed.wait_for(lambda: not (self._num_running if alone else self._num_wanting_alone))
            self._num_running += 1
        try:
            yield
        finally:
            with self._changed:
                self._num_running -= 1
                self._num_wanting_alone -= alone
                self._changed.notify_all()
