"""Which groups may begin, and which are learned next: a FIFO with a window, over groups in the order of their start.

Positions count groups in that order. A step takes groups that are complete from the `size` positions after the oldest
one that is left, the oldest first, as soon as they are enough. So a group is overtaken by at most size - 1 later ones,
and no group is ever left out: short answers get no larger share of what is learned than they have of what is begun.

A group at position p is taken as number p + size - 1 at the latest, counted from 0, so in the step that learns with
version (p + size - 1) // per_step. It may begin when the engines hold weights that are at most max_staleness updates
older. They only get newer, so none of its tokens is older than that when it is learned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

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
        self._complete: set[int] = set()

    @property
    def beyond(self) -> tuple[int, ...]:
        """The positions after the head that were taken."""
        return tuple(sorted(self._beyond))

    def is_taken(self, position: int) -> bool:
        """Whether a step has this group."""
        return position < self.head or position in self._beyond

    def may_begin(self, position: int, *, version: int) -> bool:
        """Whether the group may begin with weights of this version."""
        return position + self._size - 1 < self._per_step * (version + self._max_staleness + 1)

    def complete(self, position: int) -> None:
        """All samples of this group are there."""
        self._complete.add(position)

    def take(self) -> list[int] | None:
        """The groups of the next step; None as long as there are too few."""
        whole = Window(
            size=self._size,
            per_step=self._per_step,
            max_staleness=self._max_staleness,
            head=self.head,
            beyond=self._beyond,
        )
        found: list[int] = []
        while len(found) < self._per_step:
            visible = range(whole.head, whole.head + self._size)
            position = next((p for p in visible if p in self._complete and not whole.is_taken(p)), None)
            if position is None:
                return None
            whole.consume([position])
            found.append(position)
        self.consume(found)
        return found

    def consume(self, positions: Iterable[int]) -> None:
        """These groups are those of the next step."""
        self._beyond.update(positions)
        self._complete -= self._beyond
        while self.head in self._beyond:
            self._beyond.remove(self.head)
            self.head += 1


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
