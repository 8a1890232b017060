"""Wall time and CPU time of the phases of a step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


@dataclass(slots=True)
class Stopwatch:
    """Seconds of named phases."""

    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """Of this process with all its threads, and of no other."""
    _since: tuple[float, float] = field(default_factory=_now)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time spent inside."""
        start = _now()
        yield
        self._add(name, since=start)

    def rest(self, name: str) -> None:
        """Add the time since the stopwatch was made that no phase has."""
        self._add(name, since=self._since)
        self.seconds[name] -= sum(self.seconds.values()) - self.seconds[name]
        self.cpu_seconds[name] -= sum(self.cpu_seconds.values()) - self.cpu_seconds[name]

    def _add(self, name: str, *, since: tuple[float, float]) -> None:
        for spent, now, before in zip((self.seconds, self.cpu_seconds), _now(), since, strict=True):
            spent[name] = spent.get(name, 0.0) + now - before
