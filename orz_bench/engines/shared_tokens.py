"""Which tokens do neighbouring texts have in common, so that they are computed once? Pure functions of token ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_SLACK = 64
"""Tokens by which two neighbours may be more alike than the rest of their run without starting another."""


def shared_lengths(contexts: Sequence[Sequence[int]]) -> list[int]:
    """For every text the number of first tokens that its whole run of neighbours has; 0 for one that stands alone.

    A run ends where what the next text shares falls below half of what the run shares, or rises to far more than that.
    """
    lengths: list[int] = []
    for first, last, shared in _runs(contexts):
        lengths += [shared] * (last - first)
    return lengths


def common_length(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first tokens two texts have in common."""
    length = min(len(one), len(other))
    if one[:length] == other[:length]:
        return length
    return next(at for at in range(length) if one[at] != other[at])


def _runs(contexts: Sequence[Sequence[int]]) -> Iterator[tuple[int, int, int]]:
    """(first, one past the last, tokens shared by all of them)."""
    first, shared = 0, 0
    for at in range(1, len(contexts)):
        common = common_length(contexts[at - 1], contexts[at])
        is_first_pair = at == first + 1
        joins = is_first_pair or (2 * min(common, shared) >= shared and common <= 2 * shared + _SLACK)
        if joins:
            shared = common if is_first_pair else min(shared, common)
        else:
            yield first, at, shared
            first, shared = at, 0
    if contexts:
        yield first, len(contexts), shared
