"""The metrics of a followed training by step, from logs that grow, start anew, go back, and follow one another.

Within a log a step that is smaller than the one before means that training was resumed: the later values win from that
step on. So do those of a log that starts at a later step than another of its kind: each start of training may open a
new one. What a run has already, from logs that are gone, stays where no log says otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from math import isclose
from pathlib import Path
from typing import Any

from orz_bench.errors import DataError
from orz_bench.exchange.logs.line import Line, Log

Values = dict[str, float]
Kind = tuple[bool, str]
"""Of a feed: whether it is rounded, and its kind. Where two kinds name one metric of a step, the lower counts."""


@dataclass(frozen=True, slots=True)
class WentBack:
    """A resumed training: steps from `to` to `until` are trained again."""

    to: float
    until: float


@dataclass
class _Log:
    """What one process wrote into one log."""

    steps: dict[float, Values] = field(default_factory=dict)
    sides: dict[float, Values] = field(default_factory=dict)
    first: float | None = None
    last: float = -1

    def take(self, line: Line) -> WentBack | None:
        if line.is_side:
            self.sides.setdefault(line.step, {}).update(line.values)
            return None
        went_back = WentBack(line.step, self.last) if line.step < self.last else None
        if went_back is not None:
            _cut(self.steps, line.step)
            _cut(self.sides, line.step)
        self.first = line.step if self.first is None else min(self.first, line.step)
        self.last = line.step
        self.steps.setdefault(line.step, {}).update(line.values)
        return went_back

    def before(self, step: float | None) -> Iterator[tuple[float, Values]]:
        """What counts of it where another log starts at this step."""
        for values_of in (self.sides, self.steps):
            yield from ((at, values) for at, values in values_of.items() if step is None or at < step)


class _Series:
    """The logs of one kind and process, one for each start of training."""

    def __init__(self) -> None:
        self._logs: dict[Path, _Log] = defaultdict(_Log)
        self._told: set[tuple[Path, Path]] = set()

    def take(self, path: Path, line: Line) -> WentBack | None:
        return self._logs[path].take(line)

    def overlaps(self) -> Iterator[WentBack]:
        """Of logs that begin before the end of another one: each once."""
        ordered = self._ordered()
        for (path, log), (next_path, following) in pairwise(ordered):
            if following.first is not None and following.first <= log.last and (path, next_path) not in self._told:
                self._told.add((path, next_path))
                yield WentBack(following.first, log.last)

    def _ordered(self) -> list[tuple[Path, _Log]]:
        """Those with steps, by the first one."""
        started = [(log.first, path, log) for path, log in self._logs.items() if log.first is not None]
        return [(path, log) for _, path, log in sorted(started, key=lambda one: one[:2])]

    @property
    def last(self) -> float | None:
        ordered = self._ordered()
        return ordered[-1][1].last if ordered else None

    def last_of(self, path: Path) -> float | None:
        log = self._logs.get(path)
        return None if log is None or log.first is None else log.last

    def values(self) -> Iterator[tuple[float, Values]]:
        """(step, values) of every step; later ones of a step count. DataError for logs of two trainings."""
        yield from (pair for log in self._logs.values() if log.first is None for pair in log.before(None))
        ordered = self._ordered()
        for number, (path, log) in enumerate(ordered):
            following = ordered[number + 1] if number + 1 < len(ordered) else None
            if following is not None and following[1].first == log.first:
                _require_equal((path, log), following)
            yield from log.before(following[1].first if following else None)


def _require_equal(one: tuple[Path, _Log], other: tuple[Path, _Log]) -> None:
    """Two logs that start at one step say the same about it, or they are of two trainings."""
    (path, log), (other_path, other_log) = one, other
    step = log.first
    assert step is not None
    values, other_values = log.steps.get(step, {}), other_log.steps.get(step, {})
    for name in values.keys() & other_values.keys():
        if values[name] != other_values[name]:
            raise DataError(
                f"two logs start at step {step}: {path} ({name} {values[name]:g}) and {other_path} ({name} "
                f"{other_values[name]:g}), so they are of two trainings; name the log or the folder of one."
            )


def _cut(values_of: dict[float, Values], step: float) -> None:
    for later in [number for number in values_of if number >= step]:
        del values_of[later]


def _is_rounded(value: float, exact: float | None) -> bool:
    """Whether it is a value that the run has already, with fewer digits."""
    return exact is not None and isclose(value, exact, rel_tol=1e-3)


class Curves:
    """All logs together."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], rename: Callable[[str], str]) -> None:
        """`rows`: those of the run so far."""
        self._before: dict[float, Values] = {row["step"]: {k: v for k, v in row.items() if k != "step"} for row in rows}
        self._kinds: dict[Kind, dict[str, _Series]] = defaultdict(lambda: defaultdict(_Series))
        self._whole: set[Kind] = set()
        """Kinds of log of which one line has a whole step."""
        self._compared: set[tuple[Kind, Kind]] = set()
        self._rename = rename
        self._is_first = True

    def take(self, log: Log, line: Line) -> WentBack | None:
        """Add a line; what it takes back, if it does."""
        kind = log.is_rounded, log.kind
        if log.has_whole_steps:
            self._whole.add(kind)
        went_back = self._kinds[kind][line.writer].take(log.key, line)
        if went_back is not None:
            _cut(self._before, went_back.to)
        return went_back

    def overlaps(self) -> Iterator[tuple[str, WentBack]]:
        """(writer, what its logs take back of others): each is told once. To be asked after a round of reading."""
        for writer, series in self._series():
            for went_back in series.overlaps():
                _cut(self._before, went_back.to)
                yield writer, went_back

    def contradictions(self) -> Iterator[str]:
        """Of two kinds of log that say different things about the first step that both have; each pair is told once."""
        for one, other in set(combinations(sorted(self._kinds), 2)) - self._compared:
            values, others = self._values(one), self._values(other)
            step = min(values.keys() & others.keys(), default=None)
            if step is None:
                continue
            self._compared.add((one, other))
            for name in sorted(values[step].keys() & others[step].keys()):
                if not isclose(values[step][name], others[step][name], rel_tol=0.01, abs_tol=1e-6):
                    yield (
                        f"step {step}: one log has {name} {values[step][name]:g}, another {others[step][name]:g}; "
                        f"if they are of two trainings, name the log or the folder of one"
                    )
                    break

    def _values(self, kind: Kind) -> dict[float, Values]:
        return dict(pair for series in self._kinds[kind].values() for pair in series.values())

    def settle(self) -> WentBack | None:
        """After the logs were read for the first time: steps of the run beyond all of them were taken back."""
        last = self.last()
        if not self._is_first or last is None:
            return None
        self._is_first = False
        until = max(self._before, default=last)
        _cut(self._before, last + 1)
        return WentBack(last, until) if until > last else None

    def last(self, writer: str | None = None) -> float | None:
        """The newest step of the logs, or of this writer in them."""
        found = (series.last for name, series in self._series() if writer is None or name == writer)
        return max((step for step in found if step is not None), default=None)

    def last_of(self, log: Log) -> float | None:
        """The newest step of a log."""
        found = (series.last_of(log.key) for series in self._kinds[log.is_rounded, log.kind].values())
        return max((step for step in found if step is not None), default=None)

    def having(self, prefix: str) -> set[float]:
        """Steps with a metric whose name, by the tool, begins so."""
        ours = self._rename(prefix)
        return {step for step, row in self.rows().items() if any(name.startswith(ours) for name in row)}

    def complete_before(self) -> float:
        """Steps below this one are complete: a log has all of them, or all its processes have gone beyond them."""
        passed = (
            min(found) + (kind in self._whole)
            for kind, writers in self._kinds.items()
            if (found := [series.last for series in writers.values() if series.last is not None])
        )
        return max(passed, default=-1)

    def rows(self) -> dict[float, Values]:
        """By step, ascending, with our names. DataError for logs of two trainings."""
        joined: dict[float, Values] = defaultdict(dict)
        for step, values in self._before.items():
            joined[step] |= values
        for kind in sorted(self._kinds, reverse=True):
            for step, values in (pair for series in self._kinds[kind].values() for pair in series.values()):
                before = self._before.get(step, {}) if kind[0] else {}
                joined[step] |= {k: before[k] if _is_rounded(v, before.get(k)) else v for k, v in self._renamed(values)}
        return {step: joined[step] for step in sorted(joined)}

    def _series(self) -> list[tuple[str, _Series]]:
        return [pair for writers in self._kinds.values() for pair in writers.items()]

    def _renamed(self, values: Mapping[str, float]) -> list[tuple[str, float]]:
        return [(self._rename(name), value) for name, value in values.items()]
