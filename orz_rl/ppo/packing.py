"""Assigns sequences to packs: best-fit decreasing, so that few tokens of a pack are unused."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

from orz_rl.ppo.packs import Lengths


class Place(NamedTuple):
    """A response."""

    group: int
    """Index of its prompt."""
    response: int
    """Index among the responses of this prompt."""


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


def pack_groups(groups: Sequence[Lengths], capacity: int) -> list[list[Place]]:
    """The responses of prompts, pack by pack, where a pack holds a prompt once for those of its responses in it.

    A group that does not fit into a pack is split into as few parts as possible, each with the prompt; then parts are
    packed like sequences. Raises ValueError for a prompt with a response that is longer than a pack.
    """
    parts, sizes = [], []
    for number, group in enumerate(groups):
        if max(group.responses) + group.prompt > capacity:
            pack([group.prompt + response for response in group.responses], capacity)  # says which
        for chosen in pack(group.responses, capacity - group.prompt):
            parts.append([Place(number, response) for response in chosen])
            sizes.append(group.prompt + sum(group.responses[response] for response in chosen))
    return [[place for part in chosen for place in parts[part]] for chosen in pack(sizes, capacity)]


def efficiency(sizes: Sequence[int], *, capacity: int) -> float:
    """Used share of the packs' tokens."""
    return sum(sizes) / (len(sizes) * capacity) if sizes else 1.0
