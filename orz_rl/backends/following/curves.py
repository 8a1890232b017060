"""The metrics of a followed training by step, from one or more logs that grow, start anew and go back.

Within a log a step that is smaller than the one before means that training was resumed: the later values win from that
step on. What a run has already, from logs that are gone, stays where no log says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from orz_rl.backends.following.tool import Line, Row

Values = dict[str, float]
Key = tuple[bool, str]
"""Of a log: whether it is rounded, and its path."""


@dataclass(frozen=True, slots=True)
class WentBack:
    """A resumed training: steps from `to` to `until` are trained again."""

    to: int
    until: int


@dataclass
class _Writer:
    """What one process wrote into a log."""

    steps: dict[int, Values] = field(default_factory=dict)
    sides: dict[int, Values] = field(default_factory=dict)
    last: int | None = None

    def take(self, line: Line) -> WentBack | None:
        if line.is_side:
            self.sides.setdefault(line.step, {}).update(line.values)
            return None
        went_back = None
        if self.last is not None and line.step < self.last:
            went_back = WentBack(line.step, self.last)
            self.cut(line.step)
        self.last = line.step
        self.steps.setdefault(line.step, {}).update(line.values)
        return went_back

    def cut(self, step: int) -> None:
        for values in (self.steps, self.sides):
            for later in [number for number in values if number >= step]:
                del values[later]


class Curves:
    """All logs together: where two name the same metric of a step, the lower key counts."""

    def __init__(self, rows: Iterable[Row], rename: Callable[[str], str]) -> None:
        """`rows`: those of the run so far."""
        self._before: dict[int, Values] = {row["step"]: {k: v for k, v in row.items() if k != "step"} for row in rows}
        self._logs: dict[Key, dict[str, _Writer]] = defaultdict(lambda: defaultdict(_Writer))
        self._rename = rename
        self._is_first = True

    def take(self, log: Key, line: Line) -> WentBack | None:
        """Add a line; what it takes back, if it does."""
        writer = self._logs[log][line.writer]
        went_back = writer.take(line)
        if went_back is not None:
            self._forget(went_back.to)
        return went_back

    def settle(self) -> WentBack | None:
        """After the logs were read for the first time: steps of the run beyond all of them were taken back."""
        last = self.last
        if not self._is_first or last is None:
            return None
        self._is_first = False
        until = max(self._before, default=last)
        self._forget(last + 1)
        return WentBack(last, until) if until > last else None

    @property
    def last(self) -> int | None:
        """The newest step of the logs."""
        found = (self.last_of(log) for log in list(self._logs))
        return max((step for step in found if step is not None), default=None)

    def last_of(self, log: Key) -> int | None:
        """The newest step of a log."""
        found = [writer.last for writer in self._logs[log].values() if writer.last is not None]
        return max(found, default=None)

    def names(self) -> set[str]:
        """The tool's names of all metrics in the logs."""
        writers = [writer for writers in self._logs.values() for writer in writers.values()]
        return {name for one in writers for values in (one.steps, one.sides) for row in values.values() for name in row}

    def evaluated(self, prefix: str) -> set[int]:
        """Steps with a metric whose name begins so."""
        writers = [writer for writers in self._logs.values() for writer in writers.values()]
        found = ((step, values) for one in writers for step, values in one.sides.items())
        return {step for step, values in found if any(name.startswith(prefix) for name in values)}

    def complete_before(self) -> int:
        """Steps below this one are complete: all processes of a log have written about this one, or a later one."""
        passed = (
            min(found)
            for writers in self._logs.values()
            if (found := [writer.last for writer in writers.values() if writer.last is not None])
        )
        return max(passed, default=-1)

    def rows(self) -> dict[int, Values]:
        """By step, ascending, with our names."""
        joined: dict[int, Values] = defaultdict(dict)
        for step, values in self._before.items():
            joined[step] |= values
        for log in sorted(self._logs, reverse=True):
            for writer in self._logs[log].values():
                for values_of in (writer.sides, writer.steps):
                    for step, values in values_of.items():
                        joined[step] |= self._renamed(values)
        return {step: joined[step] for step in sorted(joined)}

    def _renamed(self, values: Mapping[str, float]) -> Values:
        return {self._rename(name): value for name, value in values.items()}

    def _forget(self, step: int) -> None:
        for later in [number for number in self._before if number >= step]:
            del self._before[later]
