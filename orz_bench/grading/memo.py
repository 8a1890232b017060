"""Verdicts that were found before, so that nothing is graded twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import Generic, TypeVar

from orz_bench.grading.jobs import Reply

K = TypeVar("K", bound=Hashable)
_MAX_ENTRIES = 100_000


class Memo(Generic[K]):
    """A bounded memory of replies that forgets the least recently used; usable from any thread."""

    def __init__(self, memorable: Collection[str], *, max_entries: int = _MAX_ENTRIES) -> None:
        """Only replies whose verdict is in `memorable` are kept."""
        self._memorable = memorable
        self._max_entries = max_entries
        self._entries: OrderedDict[K, Reply] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def replies(self, keys: Sequence[K], ask: Callable[[Sequence[K]], Sequence[Reply]]) -> dict[K, Reply]:
        """One reply per distinct key: the remembered one, or else the one that `ask` returns at its place."""
        known = {key: self.get(key) for key in dict.fromkeys(keys)}
        unknown = [key for key, reply in known.items() if reply is None]
        asked = dict(zip(unknown, ask(unknown), strict=True))
        for key, reply in asked.items():
            self.put(key, reply)
        return {key: reply if reply is not None else asked[key] for key, reply in known.items()}

    def get(self, key: K) -> Reply | None:
        """The reply remembered under this key."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
            return self._entries.get(key)

    def put(self, key: K, reply: Reply) -> None:
        """Remember a reply if it is memorable, and forget the oldest beyond the limit."""
        if reply.verdict not in self._memorable:
            return
        with self._lock:
            self._entries[key] = reply
            self._entries.move_to_end(key)
            while len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
