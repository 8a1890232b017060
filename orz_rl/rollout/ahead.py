"""The rollouts of the next steps, collected while earlier steps are learned: at most rollout.max_staleness steps ahead.

Steps are collected in their order, one after the other. A step may begin to be sampled when the engines hold weights
that are at most max_staleness updates older than those that will learn it; the weights only get newer meanwhile. With
max_staleness 0 nothing is ahead: a step is collected when it is asked for, by the thread that asks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from orz_rl.rollout.beside import SamplingThread
from orz_rl.rollout.collector import StepRollouts


class Collects(Protocol):
    """The part of a collector that is needed."""

    def __call__(self, step: int, *, policy_version: int, cursor: int) -> StepRollouts:
        """The rollouts of a step that `policy_version` will learn, for the problems at `cursor`."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run goes on."""

    step: int
    """The next one, counted from 1."""
    cursor: int
    """Where its problems start."""
    policy_version: int
    """Of the weights that will learn it."""
    beyond: tuple[int, ...] = ()
    """Problems after the cursor that earlier steps had (rollout.partial)."""


class Steps(Protocol):
    """What gives the trainer the rollouts of its steps, one after the other."""

    def begin(self, place: Place) -> None:
        """Go on from here; before anything is collected."""
        ...

    def engines_hold(self, version: int) -> None:
        """The engines have these weights, or newer ones, from now on."""
        ...

    def take(self) -> StepRollouts:
        """The rollouts of the next step, as soon as they are there. Raises the error of their collection."""
        ...

    def close(self) -> None:
        """Stop collecting; what was finished is on disk."""
        ...


class Ahead:
    """Collects steps on a thread of its own (max_staleness above 0), or when they are taken (0)."""

    def __init__(
        self, collect: Collects, *, max_staleness: int, num_steps: int, interrupt: Callable[[], None] = lambda: None
    ) -> None:
        """`interrupt` makes a collection that is in progress fail soon."""
        self._collect, self._max_staleness, self._num_steps = collect, max_staleness, num_steps
        self._next = Place(1, 0, 0)
        self._ready: deque[StepRollouts] = deque()
        self._thread = SamplingThread(self._work, interrupt=interrupt)

    def begin(self, place: Place) -> None:
        """Go on from here; before anything is collected."""
        assert not self._thread.has_begun
        self._next = place

    def engines_hold(self, version: int) -> None:
        """The engines have these weights, or newer ones, from now on."""
        self._thread.hold(version)
        if self._max_staleness > 0:
            self._thread.begin()

    def take(self) -> StepRollouts:
        """The rollouts of the next step, as soon as they are there. Raises the error of their collection."""
        if self._max_staleness == 0:
            return self._collected()
        return self._thread.first(lambda: self._ready.popleft() if self._ready else None)

    def close(self) -> None:
        """Stop collecting; what was finished is on disk."""
        self._thread.close()

    def _work(self) -> None:
        while self._is_allowed():
            start = time.perf_counter()
            found = self._collected()
            with self._thread.changed:
                self._ready.append(replace(found, seconds_ahead=time.perf_counter() - start))
                self._thread.changed.notify_all()

    def _is_allowed(self) -> bool:
        """Wait until the next step may be sampled; False if there is none."""
        thread = self._thread
        with thread.changed:
            thread.changed.wait_for(
                lambda: thread.is_closed or self._next.policy_version - self._max_staleness <= thread.engines_hold
            )
            return not thread.is_closed and self._next.step <= self._num_steps

    def _collected(self) -> StepRollouts:
        place = self._next
        found = self._collect(place.step, policy_version=place.policy_version, cursor=place.cursor)
        self._next = Place(place.step + 1, found.cursor, place.policy_version + 1)
        return found
