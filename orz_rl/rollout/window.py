"""Which groups may begin, and which are learned next: a FIFO with a window and a limit of age.

Positions count groups in the order of their start. A step takes complete groups among the `size` positions from the
oldest one that is left, the oldest first, as soon as they are enough. So a group is overtaken by at most size - 1 later
ones, and none is ever left out: short answers get no larger share of what is learned than they have of what is begun.

A group that begins with weights of version u has to be learned by version u + max_staleness; step t + 1 learns with
version t. So, with t steps taken, the groups in progress that began with versions up to u must fit into the steps from
t to u + max_staleness, for every u. A group begins, and a step is taken, only where that stays so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping

from orz_rl.config import TrainConfig


class Window:
    """The groups of a run: taken up to `head`, and some beyond it."""

    def __init__(
        self, *, size: int, per_step: int, max_staleness: int, head: int = 0, beyond: Collection[int] = ()
    ) -> None:
        """`beyond`: positions after `head` that were taken."""
        self._size, self._per_step, self._max_staleness = size, per_step, max_staleness
        self.head = head
        self._beyond = set(beyond)
        self._begun: dict[int, int] = {}
        """Position -> oldest version, of what is in progress or complete."""
        self._complete: set[int] = set()
        self._recorded: deque[list[int]] = deque()
        self._reserved: set[int] = set()
        """The positions of recorded steps."""

    def record(self, steps: Iterable[list[int]]) -> None:
        """The next steps have these groups, whatever is complete."""
        self._recorded.extend(steps)
        self._reserved.update(*self._recorded)

    @property
    def beyond(self) -> tuple[int, ...]:
        """The positions after the head that were taken."""
        return tuple(sorted(self._beyond))

    @property
    def num_steps(self) -> int:
        """The steps that have their groups; the next one is learned by this version."""
        return (self.head + len(self._beyond)) // self._per_step + len(self._recorded)

    def is_taken(self, position: int) -> bool:
        """Whether a step has this group."""
        return position < self.head or position in self._beyond or position in self._reserved

    def may_be_learned(self, version: int) -> bool:
        """Whether the next step may learn from tokens of this version."""
        return self.num_steps - self._max_staleness <= version <= self.num_steps

    def begin(self, position: int, *, version: int) -> bool:
        """Let a group begin (or what is missing of one) with weights of this version; False if it has to wait."""
        if position in self._complete:
            return True
        begun = self._begun | {position: min(version, self._begun.get(position, version))}
        if not self._fits(begun, first=self.num_steps):
            return False
        self._begun = begun
        return True

    def found(self, position: int, *, version: int) -> None:
        """A sample of this version is there of a group that has begun before."""
        self._begun[position] = min(version, self._begun.get(position, version))

    def complete(self, position: int) -> None:
        """All samples of this group are there."""
        self._complete.add(position)

    def take(self) -> list[int] | None:
        """The groups of the next step; None as long as there are too few, or older ones have to come first."""
        if self._recorded:
            return self._consume(self._recorded.popleft())
        head, gone, found = self.head, set(self._beyond), list[int]()
        while len(found) < self._per_step:
            visible = range(head, head + self._size)
            position = next((each for each in visible if each in self._complete and each not in gone), None)
            if position is None:
                return None
            found.append(position)
            gone.add(position)
            while head in gone:
                head += 1
        left = {position: version for position, version in self._begun.items() if position not in gone}
        if not self._fits(left, first=self.num_steps + 1):
            return None
        return self._consume(found)

    def _consume(self, positions: list[int]) -> list[int]:
        for position in positions:
            self._beyond.add(position)
            self._reserved.discard(position)
            self._complete.discard(position)
            self._begun.pop(position, None)
        while self.head in self._beyond:
            self._beyond.remove(self.head)
            self.head += 1
        return positions

    def _fits(self, begun: Mapping[int, int], *, first: int) -> bool:
        """Whether steps from `first` on, counted from 0, can take these groups before they are too old."""
        oldest_first = enumerate(sorted(begun.values()), start=1)
        return all(count <= self._per_step * (each + self._max_staleness + 1 - first) for count, each in oldest_first)


def window_of(config: TrainConfig, *, head: int = 0, beyond: Collection[int] = ()) -> Window:
    """The window of a run that goes on from here."""
    rollout = config.rollout
    return Window(
        size=rollout.window_size,
        per_step=rollout.num_problems,
        max_staleness=rollout.max_staleness,
        head=head,
        beyond=beyond,
    )


def spacing_of(config: TrainConfig) -> int:
    """How far apart a problem has to come again, so that no step gets it twice and it is never sampled twice at once.

    The groups of a step are at most per_step + 2 * (size - 1) positions apart, those that are begun and not taken less
    than per_step * (max_staleness + 1); size is at most per_step * max_staleness.
    """
    rollout = config.rollout
    return rollout.num_problems * (rollout.max_staleness + 1) + rollout.window_size
