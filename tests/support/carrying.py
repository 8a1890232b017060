"""A simulated run that carries samples over updates: engines with slots, heavy-tailed lengths, and two rules of taking.

`window` is the run's own (orz_rl.rollout.window). `first_finished` begins as many groups, takes those that are
complete first, and drops what has become too old. One unit of time is a token of every running sample.
"""

from __future__ import annotations

import heapq
import math
import random
import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from orz_rl.rollout.window import Window

PER_STEP, SAMPLES, MAX_STALENESS = 16, 4, 2
"""Groups a step, samples a group."""
_WARM = 10
"""Steps at either end that are not counted."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Log-normal lengths up to four times the mean, as of a limit; those of a problem are alike: hard and easy ones."""

    mean: float
    seed: int

    def of(self, position: int) -> list[int]:
        """Of the samples of a group."""
        draw = random.Random(f"{self.seed} {position}")
        problem = draw.gauss(0, 0.6)
        drawn = [self.mean * math.exp(problem + draw.gauss(0, 0.5) - 0.3) for _ in range(SAMPLES)]
        return [max(1, min(4 * round(self.mean), round(each))) for each in drawn]


@dataclass(frozen=True, slots=True)
class Machine:
    """What a run has."""

    slots: int
    """Samples that are drawn at a time."""
    update: float
    """How long an update takes, in tokens of a sample."""


@dataclass(frozen=True, slots=True)
class Learned:
    """In the steady state."""

    mean: float
    """Length of what is learned, over groups."""
    drawn_mean: float
    """Of all groups that were begun meanwhile."""
    z: float
    """Their difference over its standard error (of the mean of so many groups)."""
    num_dropped: int
    mean_age: float


class Rule(Protocol):
    """Who may begin, and who is taken."""

    num_dropped: int

    def begin(self, position: int, *, version: int) -> bool: ...
    def complete(self, position: int) -> None: ...
    def take(self) -> list[int] | None: ...


class Windowed(Window):
    """The run's."""

    num_dropped = 0


@dataclass
class FirstFinished:
    """In progress are as many groups as a window of one allows; a step takes the first that are complete."""

    num_dropped: int = 0
    open: dict[int, int] = field(default_factory=dict)
    """Position -> version; in progress, or complete and not taken."""
    ready: deque[int] = field(default_factory=deque)

    def begin(self, position: int, *, version: int) -> bool:
        for old in [each for each, born in self.open.items() if version - born > MAX_STALENESS]:
            del self.open[old]
            self.num_dropped += 1
        if len(self.open) >= PER_STEP * (MAX_STALENESS + 1):
            return False
        self.open[position] = version
        return True

    def complete(self, position: int) -> None:
        self.ready.append(position)

    def take(self) -> list[int] | None:
        self.ready = deque(each for each in self.ready if each in self.open)
        if len(self.ready) < PER_STEP:
            return None
        found = [self.ready.popleft() for _ in range(PER_STEP)]
        for position in found:
            del self.open[position]
        return found


def learned_lengths(
    lengths: Lengths, machine: Machine, *, rule: Literal["window", "first_finished"], steps: int
) -> Learned:
    """Run it, and compare what is learned with what is begun."""
    began: dict[int, int] = {}
    taker: Rule = (
        Windowed(size=PER_STEP * MAX_STALENESS, per_step=PER_STEP, max_staleness=MAX_STALENESS)
        if rule == "window"
        else FirstFinished()
    )
    taken = _run(taker, machine, began, lengths=lengths, steps=steps)
    counted = [position for step in taken[_WARM:-_WARM] for position in step]
    learned = [statistics.fmean(lengths.of(position)) for position in counted]
    drawn = [statistics.fmean(lengths.of(position)) for position in range(min(counted), max(counted) + 1)]
    error = statistics.stdev(drawn) / math.sqrt(len(drawn))
    ages = [step - began[position] for step, positions in enumerate(taken) for position in positions]
    mean, drawn_mean = statistics.fmean(learned), statistics.fmean(drawn)
    return Learned(mean, drawn_mean, (mean - drawn_mean) / error, taker.num_dropped, statistics.fmean(ages))


def _run(taker: Rule, machine: Machine, began: dict[int, int], *, lengths: Lengths, steps: int) -> list[Sequence[int]]:
    """Event by event; the groups of each step."""
    now, version, learns_until = 0.0, 0, 0.0
    waiting: deque[tuple[int, int]] = deque()
    running: list[tuple[float, int]] = []
    left: dict[int, int] = {}
    taken: list[Sequence[int]] = []
    while len(taken) < steps:
        while len(running) + len(waiting) < machine.slots and taker.begin(len(began), version=version):
            position = len(began)
            began[position], left[position] = version, SAMPLES
            waiting.extend((position, length) for length in lengths.of(position))
        while waiting and len(running) < machine.slots:
            position, length = waiting.popleft()
            heapq.heappush(running, (now + length, position))
        if learns_until <= now and (found := taker.take()) is not None:
            taken.append(found)
            learns_until = now + machine.update
        next_end = running[0][0] if running else math.inf
        if learns_until > now and learns_until <= next_end:
            now, version = learns_until, version + 1
            continue
        now, position = heapq.heappop(running)
        left[position] -= 1
        if left[position] == 0:
            taker.complete(position)
    return taken
