"""Leading tokens that neighbouring texts share, so that they are computed once. Pure functions of token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

_SLACK = 64
"""Tokens that two neighbours may share beyond the rest of their run without starting a new run."""


def shared_lengths(contexts: Sequence[Sequence[int]]) -> list[int]:
    """For every text, the number of leading tokens shared by its whole run of neighbours; 0 for a text without a run.

    A run ends where the next text shares less than half of what the run shares, or far more.
    """
    lengths: list[int] = []
    for first, last, shared in _runs(contexts):
        lengths += [shared] * (last - first)
    return lengths


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """The number of leading tokens that two texts share."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(at for at in range(length) if one[at] != other[at])


def _runs(contexts: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """(first, one past the last, tokens shared by all of them)."""
    common = [common_length(one, other) for one, other in pairwise(contexts)]
    first, shared = 0, 0
    for at, here in enumerate(common, start=1):
        if at == first + 1:
            joins = at == len(common) or common[at] <= 2 * here + _SLACK
            shared = here
        else:
            joins = 2 * min(here, shared) >= shared and here <= 2 * shared + _SLACK
            shared = min(here, shared) if joins else shared
        if not joins:
            yield first, at, shared if at > first + 1 else 0
            first, shared = at, 0
    if contexts:
        yield first, len(contexts), shared
