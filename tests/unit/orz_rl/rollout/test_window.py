"""The window over groups: who may begin, who is taken, how often one is overtaken, how old it gets."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_rl.recipes.registry import resolve
from orz_rl.rollout.problems import spaced_problem_at
from orz_rl.rollout.window import Window, spacing_of
from tests.support.carrying import Lengths, Machine, learned_lengths

STEPS = 12


@given(per_step=st.integers(1, 6), max_staleness=st.integers(1, 3), share=st.floats(0, 1), seed=st.integers(0, 2**32))
@settings(deadline=None, max_examples=150)
def test_no_group_is_overtaken_more_often_or_gets_older_than_allowed(
    per_step: int, max_staleness: int, share: float, seed: int
) -> None:
    """Groups end in any order; steps are taken in any rhythm. The end of the run holds nothing back."""
    size = 1 + round(share * (per_step * max_staleness - 1))
    draw, window = random.Random(seed), Window(size=size, per_step=per_step, max_staleness=max_staleness)
    begun, running, version, steps = dict[int, int](), list[int](), 0, list[list[int]]()
    last = STEPS * per_step
    while len(steps) < STEPS:
        if len(begun) < last and draw.random() < 0.7 and window.begin(len(begun), version=version):
            running.append(len(begun))
            begun[len(begun)] = version
        elif running and draw.random() < 0.7:
            window.complete(running.pop(draw.randrange(len(running))))
        elif version == len(steps) and (found := window.take()) is not None:
            assert window.head + size > max(found), "only what the window shows"
            steps.append(found)
            assert all(version - begun[position] <= max_staleness for position in found)
        elif version < len(steps) and draw.random() < 0.5:
            version += 1
    order = list(itertools.chain(*steps))
    assert sorted(order) == list(range(last)), "each group once, none left out"
    place = {position: at for at, position in enumerate(order)}
    for position in order:
        assert sum(place[later] < place[position] for later in range(position + 1, last)) <= size - 1
    assert (window.head, window.beyond) == (last, ())


def test_a_window_of_one_is_a_queue() -> None:
    window = Window(size=1, per_step=2, max_staleness=1)
    assert [window.begin(position, version=0) for position in range(5)] == [True] * 4 + [False]
    for position in (3, 1, 2):
        window.complete(position)
    assert window.take() is None
    window.complete(0)
    assert [window.take(), window.take(), window.take()] == [[0, 1], [2, 3], None]


def test_whoever_has_to_be_learned_now_is_waited_for_and_others_may_be_overtaken() -> None:
    window = Window(size=4, per_step=2, max_staleness=1)
    assert [window.begin(position, version=0) for position in range(4)] == [True] * 4
    for position in (1, 2, 3):
        window.complete(position)
    assert window.take() == [1, 2]
    assert not window.begin(4, version=0), "two groups, and one step that may learn them"
    assert window.begin(4, version=1)
    window.complete(4)
    assert window.take() is None, "0 began with version 0, and this is the last step that may learn it"
    window.complete(0)
    assert window.take() == [0, 3]


def test_what_is_found_on_disk_ages_and_what_is_missing_of_it_waits_for_new_weights() -> None:
    """Three steps are taken, the checkpoint is of version 1: so is what the engines hold."""
    window = Window(size=2, per_step=2, max_staleness=1, head=2)
    window.record([[2, 3], [4, 5]])
    assert window.num_steps == 3
    window.found(6, version=2)
    assert not window.begin(6, version=1), "what is drawn now would be too old for step 4, which version 3 learns"
    assert window.begin(6, version=2)
    assert window.begin(7, version=2)
    assert not window.begin(8, version=2)
    assert [window.take(), window.take(), window.take()] == [[2, 3], [4, 5], None]


def test_a_window_goes_on_from_its_head_and_what_was_taken_beyond_it() -> None:
    window = Window(size=4, per_step=2, max_staleness=1)
    for position in (1, 3):
        window.complete(position)
    assert window.take() == [1, 3]
    again = Window(size=4, per_step=2, max_staleness=1, head=window.head, beyond=window.beyond)
    assert (again.head, again.beyond, again.num_steps) == (0, (1, 3), 1)
    for position in (2, 4, 5):
        again.complete(position)
    assert again.take() is None, "2 alone: the oldest group holds the window"
    again.complete(0)
    assert again.take() == [0, 2]
    assert [again.is_taken(position) for position in range(6)] == [True, True, True, True, False, False]


@pytest.mark.parametrize(("num_problems", "apart"), [(7, 7), (10, 7), (40, 7), (25, 8), (5, 1)])
def test_a_problem_comes_again_only_after_so_many_others_and_once_in_each_epoch(num_problems: int, apart: int) -> None:
    stream = [spaced_problem_at(at, num_problems, seed=3, apart=apart) for at in range(6 * num_problems)]
    epochs = [stream[at : at + num_problems] for at in range(0, len(stream), num_problems)]
    assert all(sorted(epoch) == list(range(num_problems)) for epoch in epochs)
    assert all(len({*stream[at : at + apart]}) == apart for at in range(len(stream) - apart))
    assert num_problems < 2 * apart or len({tuple(epoch) for epoch in epochs}) == 6


def test_the_spacing_covers_a_step_and_what_is_in_progress() -> None:
    given_ = ["rollout.num_problems=8", "rollout.max_staleness=2", "rollout.partial=true", "cluster.colocate=false"]
    assert spacing_of(resolve("tiny", overrides=given_)) == 8 * 3 + 16
    assert spacing_of(resolve("tiny", overrides=[*given_, "rollout.window=16"])) >= 8 + 2 * 15 + 1
    assert spacing_of(resolve("tiny", overrides=[*given_, "rollout.window=3"])) == 8 * 3 + 3


def test_lengths_of_what_is_learned_are_those_of_what_is_drawn() -> None:
    """The short form of benchmarks/partial_lengths.py; taking what ends first and dropping the rest prefers short."""
    lengths, fast_engines = Lengths(mean=100, seed=1), Machine(slots=48, update=120.0)
    first = learned_lengths(lengths, fast_engines, rule="first_finished", steps=120)
    assert first.z < -5
    assert first.num_dropped > 0
    for machine in (fast_engines, Machine(slots=24, update=240.0), Machine(slots=24, update=120.0)):
        windowed = learned_lengths(lengths, machine, rule="window", steps=120)
        assert abs(windowed.z) < 1
        assert windowed.num_dropped == 0
