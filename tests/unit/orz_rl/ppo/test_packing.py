"""Packs hold every sequence once, never overflow, and are nearly full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_rl.ppo.packing import efficiency, pack

lengths_and_capacity = st.integers(1, 60).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), max_size=60), st.just(capacity))
)


@given(lengths_and_capacity)
def test_every_sequence_is_in_one_pack(case: tuple[list[int], int]) -> None:
    lengths, capacity = case
    packs = pack(lengths, capacity)
    assert sorted(index for members in packs for index in members) == list(range(len(lengths)))
    assert all(sum(lengths[index] for index in members) <= capacity for members in packs)


@given(lengths_and_capacity)
def test_the_number_of_packs_is_near_the_least_possible(case: tuple[list[int], int]) -> None:
    lengths, capacity = case
    least = -(-sum(lengths) // capacity)
    large = sum(2 * length > capacity for length in lengths)
    assert len(pack(lengths, capacity)) <= max(least, large) * 1.7 + 1


def test_a_sequence_longer_than_a_pack_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"sequence 1 has 11 tokens, but a pack holds 10"):
        pack([3, 11], 10)


def test_efficiency() -> None:
    packs = pack([6, 4, 5, 5], 10)
    assert len(packs) == 2
    assert efficiency([6, 4, 5, 5], packs, capacity=10) == 1.0
    assert efficiency([], [], capacity=10) == 1.0
