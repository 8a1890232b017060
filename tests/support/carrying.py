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

PER_STEP, SAMPLES, SLOTS, MAX_STALENESS = 8, 4, 48, 1
"""Groups a step, samples a group, samples that run at a time."""
UPDATE = 120.0
"""How long an update takes; the mean sample is about as long."""
_WARM = 10
"""Steps at either end that are not counted."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Log-normal lengths; those of a problem are alike, as of hard and easy problems."""

    mean: float
    seed: int

    def of(self, position: int) -> list[int]:
        """Of the samples of a group."""
        draw = random.Random(f"{self.seed} {position}")
        problem = draw.gauss(0, 0.7)
        scale = self.mean / math.exp((0.7**2 + 0.5**2) / 2)
        return [max(1, round(scale * math.exp(problem + draw.gauss(0, 0.5)))) for _ in range(SAMPLES)]


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

    began: dict[int, int]
    version: int = 0
    num_dropped: int = 0
    gone: set[int] = field(default_factory=set)
    ready: deque[int] = field(default_factory=deque)

    def begin(self, position: int, *, version: int) -> bool:
        self.version = version
        for open_ in [each for each, born in self.began.items() if version - born > MAX_STALENESS]:
            if open_ not in self.gone:
                self.gone.add(open_)
                self.num_dropped += 1
        return position - len(self.gone) < PER_STEP * (MAX_STALENESS + 1)

    def complete(self, position: int) -> None:
        self.ready.append(position)

    def take(self) -> list[int] | None:
        fresh = deque(each for each in self.ready if each not in self.gone)
        if len(fresh) < PER_STEP:
            return None
        found = [fresh.popleft() for _ in range(PER_STEP)]
        self.gone.update(found)
        self.ready = fresh
        return found


def learned_lengths(lengths: Lengths, *, rule: Literal["window", "first_finished"], steps: int) -> Learned:
    """Run it, and compare what is learned with what is begun."""
    began: dict[int, int] = {}
    taker: Rule = (
        Windowed(size=PER_STEP // 4, per_step=PER_STEP, max_staleness=MAX_STALENESS)
        if rule == "window"
        else FirstFinished(began)
    )
    taken = _run(taker, began, lengths, steps=steps)
    counted = [position for step in taken[_WARM:-_WARM] for position in step]
    learned = [statistics.fmean(lengths.of(position)) for position in counted]
    drawn = [statistics.fmean(lengths.of(position)) for position in range(min(counted), max(counted) + 1)]
    error = statistics.stdev(drawn) / math.sqrt(len(drawn))
    ages = [step - began[position] for step, positions in enumerate(taken) for position in positions]
    mean, drawn_mean = statistics.fmean(learned), statistics.fmean(drawn)
    return Learned(mean, drawn_mean, (mean - drawn_mean) / error, taker.num_dropped, statistics.fmean(ages))


def _run(taker: Rule, began: dict[int, int], lengths: Lengths, *, steps: int) -> list[Sequence[int]]:
    """Event by event; the groups of each step."""
    now, version, learns_until = 0.0, 0, 0.0
    waiting: deque[tuple[int, int]] = deque()
    running: list[tuple[float, int]] = []
    left: dict[int, int] = {}
    taken: list[Sequence[int]] = []
    while len(taken) < steps:
        while taker.begin(len(began), version=version):
            position = len(began)
            began[position], left[position] = version, SAMPLES
            waiting.extend((position, length) for length in lengths.of(position))
        while waiting and len(running) < SLOTS:
            position, length = waiting.popleft()
            heapq.heappush(running, (now + length, position))
        if learns_until <= now and (found := taker.take()) is not None:
            taken.append(found)
            learns_until = now + UPDATE
        next_end = running[0][0] if running else math.inf
        if learns_until > now and learns_until <= next_end:
            now, version = learns_until, version + 1
            continue
        now, position = heapq.heappop(running)
        left[position] -= 1
        if left[position] == 0:
            taker.complete(position)
    return taken
