"""Engines, trainer and weight transfers of a run, event by event: step time and idle shares with and without overlap.

Engines draw samples from one queue, as many at a time as their cache holds. A decoding iteration takes time for the
weights, for each sequence and for each token in the cache. The trainer takes a batch when all its samples are there.
Samples of batch k are begun with weights that at least k - staleness batches have trained. New weights wait until the
samples in flight are complete. With `partial` these go on with the new weights, their cache is computed again, and a
batch is the first samples that are complete in a window after the oldest one (orz_rl/rollout/window.py).
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

_WARM = 2
"""Batches at the start that are not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineCosts:
    """Of one engine, in seconds."""

    iteration: float
    """Of a decoding iteration, however many sequences."""
    per_sequence: float
    per_cached_token: float
    per_prefilled_token: float
    slots: int
    """Sequences at a time."""
    cache_tokens: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Of a run, in seconds."""

    engine: EngineCosts
    train_fixed: float
    train_per_token: float
    sync: float
    """New weights to all engines, which wait meanwhile, as the trainer does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How sampling and training alternate."""

    staleness: int = 0
    """0: strictly on-policy."""
    partial: bool = False
    window: float = 0.0
    """With `partial`: the window in batches; 0: batches are taken in the order of their start. In the steady state it
    makes no difference to the time of a step; a short simulation would show that of its first steps."""

    @property
    def name(self) -> str:
        """As it is printed."""
        base = "on-policy" if self.staleness == 0 else f"staleness {self.staleness}"
        return base + (", partial" if self.partial else "")


MODES = (Mode(), *(Mode(staleness=limit, partial=partial) for limit in (1, 2) for partial in (False, True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """In the steady state."""

    step_s: float
    engines_idle: float
    """Share of the engines' time without a sequence."""
    trainer_idle: float
    staleness: float
    """Mean over samples: updates between the weights with which a sample began and those that were trained with it."""


@dataclass(slots=True)
class _Sample:
    position: int
    prompt: int
    length: int
    version: int = 0
    """Of the weights with which it began."""


@dataclass(slots=True, eq=False)
class _Engine:
    """Sequences advance together: one token an iteration, counted in `position`."""

    costs: EngineCosts
    position: float = 0.0
    clock: float = 0.0
    cached: float = 0.0
    reserved: float = 0.0
    busy: float = 0.0
    running: list[tuple[float, int, _Sample]] = field(default_factory=list)

    def has_room(self, sample: _Sample) -> bool:
        if not self.running:
            return True
        full = self.reserved + sample.prompt + sample.length > self.costs.cache_tokens
        return len(self.running) < self.costs.slots and not full

    def begin(self, sample: _Sample, number: int) -> None:
        heapq.heappush(self.running, (self.position + sample.length, number, sample))
        self.cached += sample.prompt
        self.reserved += sample.prompt + sample.length
        self._spend(self.costs.per_prefilled_token * sample.prompt)

    def pause(self, seconds: float) -> None:
        """For new weights: and what is cached is computed again."""
        self.clock += seconds
        self._spend(self.costs.per_prefilled_token * self.cached)

    def _spend(self, seconds: float) -> None:
        self.clock += seconds
        self.busy += seconds

    def next_finish(self) -> float:
        """When the next sample ends, if nothing changes."""
        if not self.running:
            return math.inf
        return self.clock + self._seconds(max(0.0, self.running[0][0] - self.position))

    def _rate(self) -> float:
        return (
            self.costs.iteration
            + self.costs.per_sequence * len(self.running)
            + self.costs.per_cached_token * self.cached
        )

    def _seconds(self, tokens: float) -> float:
        growth = self.costs.per_cached_token * len(self.running)
        return tokens * self._rate() + growth * tokens * max(0.0, tokens - 1) / 2

    def advance(self, now: float) -> None:
        """Decode until then."""
        if now <= self.clock:
            return
        if self.running:
            rate, growth = self._rate(), self.costs.per_cached_token * len(self.running)
            seconds = now - self.clock
            tokens = seconds / rate
            if growth > 0:
                linear = rate - growth / 2
                tokens = (math.sqrt(linear * linear + 2 * growth * seconds) - linear) / growth
            tokens = min(tokens, self.running[0][0] - self.position)
            self.position += tokens
            self.cached += tokens * len(self.running)
            self.busy += seconds
        self.clock = now

    def finish(self) -> _Sample:
        """Take the sample that has ended."""
        self.position, _, sample = heapq.heappop(self.running)
        self.cached -= sample.prompt + sample.length
        self.reserved -= sample.prompt + sample.length
        if not self.running:
            self.cached = self.reserved = 0.0
        return sample


def simulate(
    batches: Sequence[Sequence[int]], *, prompt_tokens: int, engines: int, costs: Costs, mode: Mode
) -> Outcome:
    """Run all batches (response lengths of each, in the order in which they are asked for)."""
    assert len(batches) > _WARM + 1
    return _Run(batches, prompt_tokens, [_Engine(costs.engine) for _ in range(engines)], costs=costs, mode=mode).run()


def sampling_seconds(batch: Sequence[int], *, prompt_tokens: int, engines: int, costs: EngineCosts) -> float:
    """How long engines take for one batch alone, until its last sample."""
    alone = Costs(engine=costs, train_fixed=0.0, train_per_token=0.0, sync=0.0)
    return simulate(
        [batch] * (_WARM + 2), prompt_tokens=prompt_tokens, engines=engines, costs=alone, mode=Mode()
    ).step_s


class _Run:
    def __init__(
        self, batches: Sequence[Sequence[int]], prompt: int, engines: list[_Engine], *, costs: Costs, mode: Mode
    ) -> None:
        self._engines, self._costs, self._mode = engines, costs, mode
        lengths = [max(1, length) for of in batches for length in of]
        self._queue = deque(_Sample(position, prompt, length) for position, length in enumerate(lengths))
        self._sizes = [len(of) for of in batches]
        self._ends = list(accumulate(self._sizes))
        self._window = max(1, round(mode.window * self._sizes[0])) if mode.partial else 1
        self._head = 0
        self._complete: dict[int, _Sample] = {}
        self._taken = set[int]()
        self._begun: dict[int, int] = {}
        """Version -> samples that began with it or an older one."""
        self._age = [0.0] * len(batches)
        self._version = self._number = 0
        self._now = self._trained_s = 0.0
        self._trains_until = math.inf
        self._has_new_weights = False
        self._marks: list[tuple[float, float, float]] = []

    def run(self) -> Outcome:
        """To the end of the last batch."""
        while self._version < len(self._sizes):
            self._act()
            engine = min(self._engines, key=_Engine.next_finish)
            self._now = max(self._now, min(engine.next_finish(), self._trains_until))
            assert math.isfinite(self._now), "nothing can happen any more"
            for each in self._engines:
                each.advance(min(self._now, each.next_finish()))
            if self._trains_until <= self._now:
                self._trains_until, self._has_new_weights = math.inf, True
            elif engine.running:
                sample = engine.finish()
                self._complete[sample.position] = sample
            self._hand_over()
        return self._outcome()

    def _act(self) -> None:
        """Begin what can begin now: samples, and the training of the next batch."""
        waits_for_drain = self._has_new_weights
        while self._queue and not waits_for_drain and self._queue[0].position < self._end_of(self._newest):
            sample = self._queue[0]
            free = [engine for engine in self._engines if engine.has_room(sample)]
            if not free:
                break
            self._queue.popleft()
            sample.version = self._version
            self._begun[self._version] = sample.position + 1
            self._number += 1
            min(free, key=lambda engine: len(engine.running)).begin(sample, self._number)
        is_free = math.isinf(self._trains_until) and not self._has_new_weights
        if is_free and (batch := self._full_batch()):
            self._age[self._version] = sum(self._version - sample.version for sample in batch)
            tokens = sum(sample.prompt + sample.length for sample in batch)
            seconds = self._costs.train_fixed + self._costs.train_per_token * tokens
            self._trained_s += seconds
            self._trains_until = self._now + seconds

    @property
    def _newest(self) -> int:
        """The batch whose samples may begin now."""
        return self._version + self._mode.staleness

    def _end_of(self, batch: int) -> int:
        """Samples up to the end of a batch."""
        return self._ends[min(batch, len(self._ends) - 1)]

    def _full_batch(self) -> list[_Sample]:
        """The samples of the next batch, no longer complete but taken; none as long as there are too few."""
        size, head, found = self._sizes[self._version], self._head, set[int]()
        if len(self._complete) < size:
            return []
        position = head
        while len(found) < size and position < head + self._window:
            if position in self._complete:
                found.add(position)
            while head in found or head in self._taken:
                head += 1
            position += 1
        if len(found) < size or self._makes_too_old(found):
            return []
        self._head, self._taken = head, {each for each in self._taken | found if each >= head}
        return [self._complete.pop(each) for each in sorted(found)]

    def _makes_too_old(self, found: set[int]) -> bool:
        """Whether later batches could not train in time what is left of the samples that began with some version."""
        taken = self._taken | found
        for version, begun in self._begun.items():
            left = begun - self._head - sum(self._head <= each < begun for each in taken)
            if left > max(0, self._end_of(version + self._mode.staleness) - self._end_of(self._version)):
                return True
        return False

    def _hand_over(self) -> None:
        """New weights to the engines, as soon as these may take them."""
        if not self._has_new_weights or not (self._mode.partial or not any(e.running for e in self._engines)):
            return
        self._now += self._costs.sync
        for engine in self._engines:
            engine.pause(self._costs.sync)
        self._trained_s += self._costs.sync
        self._has_new_weights = False
        self._version += 1
        self._marks.append((self._now, sum(engine.busy for engine in self._engines), self._trained_s))

    def _outcome(self) -> Outcome:
        """Between the end of the first batches and that of the last but as many as may be ahead."""
        first = self._marks[_WARM - 1]
        at = max(_WARM, len(self._marks) - 1 - self._mode.staleness)
        seconds, busy, trained = (last - before for last, before in zip(self._marks[at], first, strict=True))
        return Outcome(
            step_s=seconds / (at - _WARM + 1),
            engines_idle=max(0.0, 1 - busy / (seconds * len(self._engines))),
            trainer_idle=max(0.0, 1 - trained / seconds),
            staleness=sum(self._age[_WARM:]) / sum(self._sizes[_WARM:]),
        )
