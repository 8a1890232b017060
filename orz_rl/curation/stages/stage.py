"""What a stage is.

`open` may look at all incoming rows first, such as for duplicates, and returns a function that decides about some of
them. The function depends on nothing else, so parts can be decided in any order, again after a kill, or elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from orz_rl.curation.rows import Outcome, Row

Decide = Callable[[Sequence[Row]], Outcome]
"""Rows of a part -> what becomes of each."""


class Parts(Protocol):
    """All rows that a stage gets, part by part; can be read again."""

    def __iter__(self) -> Iterator[list[Row]]:
        """The parts in order."""
        ...

    def __len__(self) -> int:
        """Their number."""
        ...


class Stage(Protocol):
    """One step of curation."""

    @property
    def name(self) -> str:
        """One word, as in fates.parquet."""
        ...

    @property
    def is_local(self) -> bool:
        """Whether what it decides about a row depends on that row alone."""
        ...

    def open(self, incoming: Parts, *, scratch: Path) -> AbstractContextManager[Decide]:
        """Prepare the decisions. `scratch`: a folder for large intermediate results; it may not exist yet."""
        ...


class RowByRow(ABC):
    """A stage whose decision about a row depends on that row alone."""

    is_local = True

    def open(self, incoming: Parts, *, scratch: Path) -> AbstractContextManager[Decide]:
        """See Stage; looks at no row before."""
        del incoming, scratch
        return self.opened()

    @abstractmethod
    def opened(self) -> AbstractContextManager[Decide]:
        """The decisions, and what they need meanwhile."""
