"""Requests without repeated keys, as every engine reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, Self, TypeVar

from orz_bench.errors import EngineError


class Keyed(Protocol):
    """A request with a key."""

    @property
    def key(self) -> tuple[str, int]:
        """Unique within one call."""
        ...


Asked = TypeVar("Asked", bound=Keyed)


class Distinct(Iterator[Asked]):
    """The requests one by one; EngineError for a repeated key. Every engine reads its requests through it.

    Equal keys have equal seeds: the second answer would copy the first, and be lost where answers are stored by key.
    It may be read again after it was exhausted: the underlying iterator may have been refilled.
    """

    def __init__(self, requests: Iterable[Asked]) -> None:
        self._requests = iter(requests)
        self._seen: set[tuple[str, int]] = set()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Asked:
        request = next(self._requests)
        if request.key in self._seen:
            raise EngineError(
                f"{request.key[0]}, sample {request.key[1]}: requested twice in one call; an engine answers every key "
                f"once. Give every problem its own id and every sample its own index."
            )
        self._seen.add(request.key)
        return request
