"""Assigns sequences to packs: best-fit decreasing, so that few tokens of a pack are unused."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence


def pack(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Indices of sequences, pack by pack; every sequence is in exactly one, and no pack exceeds `capacity` tokens.

    By decreasing length, each sequence goes into the fullest pack with room (best-fit decreasing; Johnson 1973: at most
    11/9 of the least possible number of packs, plus a constant). Raises ValueError for a sequence longer than a pack:
    nothing is dropped.
    """
    too_long = [index for index, length in enumerate(lengths) if length > capacity]
    if too_long:
        raise ValueError(f"sequence {too_long[0]} has {lengths[too_long[0]]:,} tokens, but a pack holds {capacity:,}")
    packs: list[list[int]] = []
    rooms: list[tuple[int, int]] = []  # (room left, pack), sorted
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        position = bisect_left(rooms, (lengths[index], -1))
        if position < len(rooms):
            room, number = rooms.pop(position)
        else:
            room, number = capacity, len(packs)
            packs.append([])
        packs[number].append(index)
        insort(rooms, (room - lengths[index], number))
    return [sorted(members) for members in packs]


def efficiency(lengths: Sequence[int], packs: Sequence[Sequence[int]], *, capacity: int) -> float:
    """Used share of the packs' tokens."""
    return sum(lengths) / (len(packs) * capacity) if packs else 1.0
