"""The metrics of a trainer that runs here, by step, from the log that it writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from orz_bench.exchange.logs.line import Line
from orz_rl.backends.following.tool import Feed


class Meter:
    """Rows of complete steps, under our names where the meaning is the same, else under its own behind its name."""

    def __init__(
        self, name: str, *, metrics: Mapping[str, str], open_feed: Callable[[], Feed | None], in_pieces: bool
    ) -> None:
        """`open_feed`: None until the log is there. `in_pieces`: whether the log names one metric after the other, so
        that a step is complete only when the next one begins.
        """
        self._name, self._metrics, self._open_feed, self._in_pieces = name, metrics, open_feed, in_pieces
        self._feed: Feed | None = None
        self._open: dict[float, dict[str, float]] = {}

    def rows(self, *, is_last: bool) -> Iterator[tuple[int, dict[str, float]]]:
        """(step, metrics) of every step that is complete and was not returned before, in order.

        `is_last`: the trainer has ended, so nothing follows.
        """
        if self._feed is None:
            self._feed = self._open_feed()
        for line in self._feed.poll(is_last=is_last) if self._feed is not None else ():
            if isinstance(line, Line) and not line.is_side:
                named = {self._named(name): value for name, value in line.values.items()}
                self._open.setdefault(line.step, {}).update(named)
        newest = max(self._open, default=0)
        for step in sorted(self._open):
            if step < newest or is_last or not self._in_pieces:
                yield int(step), self._open.pop(step)

    def _named(self, name: str) -> str:
        return self._metrics.get(name) or f"{self._name}/{name}"

    def close(self) -> None:
        """Close the log."""
        if self._feed is not None:
            self._feed.close()
