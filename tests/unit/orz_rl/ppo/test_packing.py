"""Packs hold every sequence once, never overflow, and are nearly full."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_rl.ppo.packing import efficiency, pack, pack_groups
from orz_rl.ppo.packs import Lengths

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
    assert efficiency([10, 5], capacity=10) == 0.75
    assert efficiency([], capacity=10) == 1.0


GROUPS = st.lists(
    st.tuples(st.integers(1, 20), st.lists(st.integers(1, 20), min_size=1, max_size=9)), min_size=1, max_size=9
)


@given(GROUPS, st.integers(40, 120))
def test_a_prompt_is_in_as_few_packs_as_its_group_needs(groups: list[tuple[int, list[int]]], capacity: int) -> None:
    lengths = [Lengths(prompt, tuple(responses)) for prompt, responses in groups]
    packs = pack_groups(lengths, capacity)
    wanted = [(group, response) for group, each in enumerate(lengths) for response in range(len(each.responses))]
    assert sorted(tuple(place) for places in packs for place in places) == wanted
    for places in packs:
        prompts = {place.group for place in places}
        size = sum(lengths[group].prompt for group in prompts)
        assert size + sum(lengths[place.group].responses[place.response] for place in places) <= capacity
        assert len([at for at, place in enumerate(places) if at == 0 or places[at - 1].group != place.group]) == len(
            prompts
        ), "the responses of a prompt follow one another"
    for group, each in enumerate(lengths):
        has = [places for places in packs if any(place.group == group for place in places)]
        assert len(has) == len(pack(each.responses, capacity - each.prompt))
        assert each.num_tokens > capacity or len(has) == 1


@given(lengths_and_capacity)
def test_groups_of_one_are_packed_as_sequences(case: tuple[list[int], int]) -> None:
    lengths, capacity = case
    groups = [Lengths(1, (length,)) for length in lengths]
    found = [[place.group for place in places] for places in pack_groups(groups, capacity + 1)]
    assert found == pack([length + 1 for length in lengths], capacity + 1)


def test_a_response_that_fits_no_pack_with_its_prompt_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"sequence 1 has 11 tokens, but a pack holds 10"):
        pack_groups([Lengths(4, (3, 7))], 10)
