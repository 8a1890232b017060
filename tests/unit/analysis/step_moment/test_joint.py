"""Breaks that metrics share, and those that only seem to."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.step_moment.as_json import as_json
from analysis.step_moment.breaks import Break
from analysis.step_moment.joint import find_joint_breaks

STEPS = np.arange(1000.0)


def _break(metric: str, step: float) -> Break:
    ends = {"low": step - 2, "high": step + 2}
    return Break(metric=metric, step=step, **ends, kind="level", size=1.0, p_value=0.002, rebound=False)


def test_a_shared_break() -> None:
    joint = find_joint_breaks([_break("length", 700), _break("reflection", 702)], STEPS)
    assert [(one.metrics, one.low, one.high) for one in joint] == [(("length", "reflection"), 700, 702)]
    assert joint[0].p_value < 0.02
    assert as_json([], joint)["joint"][0]["metrics"] == ["length", "reflection"]


def test_breaks_far_apart_are_not_joint() -> None:
    assert find_joint_breaks([_break("length", 300), _break("reflection", 700)], STEPS) == []


def test_one_metric_has_nothing_to_share() -> None:
    assert find_joint_breaks([_break("length", 300), _break("length", 301)], STEPS) == []
    assert find_joint_breaks([], STEPS) == []


def test_chance_coincidences_stay_below_the_level() -> None:
    """Four independent breaks in each of two metrics: one world in twenty may have a joint break (binomial bound)."""
    rng = np.random.default_rng(0)
    false = 0
    for _ in range(200):
        breaks = [_break(m, at) for m in ("a", "b") for at in rng.uniform(0, 1000, 4)]
        false += bool(find_joint_breaks(breaks, STEPS))
    assert false <= 18


def test_three_metrics_are_one_event() -> None:
    breaks = [_break("a", 500), _break("b", 503), _break("c", 505), _break("a", 100)]
    (joint,) = find_joint_breaks(breaks, STEPS)
    assert set(joint.metrics) == {"a", "b", "c"}
    assert (joint.low, joint.high) == (500, 505)


def test_the_answer_does_not_depend_on_the_order_of_the_breaks() -> None:
    rng = np.random.default_rng(3)
    breaks = [_break(m, at + shift) for m, shift in (("c", 0.0), ("a", 2.0), ("b", 4.0)) for at in (150, 500, 820)]
    wanted = find_joint_breaks(breaks, STEPS)
    assert wanted
    for _ in range(5):
        assert find_joint_breaks([breaks[k] for k in rng.permutation(len(breaks))], STEPS) == wanted


def test_breaks_as_far_apart_as_reaches_are_linked_and_those_further_are_not() -> None:
    """Steps two apart: ten observations are twenty steps."""
    steps = np.arange(0, 2000, 2.0)
    places = (200.0, 700.0, 1100.0, 1500.0)
    near = [_break("a", at) for at in places] + [_break("b", at) for at in (*places[:3], 1520.0)]
    far = [*near[:-1], _break("b", 1520.5)]
    assert [(event.low, event.high) for event in find_joint_breaks(near, steps)] == [
        *((at, at) for at in places[:3]),
        (1500, 1520),
    ]
    assert [event.high for event in find_joint_breaks(far, steps)] == list(places[:3])


def test_closeness_counts_and_not_only_being_near() -> None:
    """Four breaks that fall together exactly say more than four that are nine observations apart."""
    places = (150, 400, 650, 900)
    p_values = []
    for shift in (0, 9):
        joint = find_joint_breaks(
            [_break("a", at) for at in places] + [_break("b", at + shift) for at in places], STEPS, level=1.0
        )
        p_values.append({event.p_value for event in joint})
    assert len(p_values[0]) == len(p_values[1]) == 1
    assert p_values[0].pop() < 0.01 < p_values[1].pop()


def test_p_values_are_shares_of_shuffles_and_adjusted_for_the_number_of_pairs() -> None:
    """Three pairs: the smallest p-value is taken three times, and the next is never below it."""
    (two,) = find_joint_breaks([_break("a", 500), _break("b", 500)], STEPS, level=1.0)
    # A shift of less than 1e-9 is as close: only the observed one, of 2,000.
    assert two.p_value == pytest.approx(1 / 2000, abs=1e-3)
    three = [_break("a", 500), _break("b", 500), _break("c", 500)]
    (joint,) = find_joint_breaks(three, STEPS, level=1.0)
    assert joint.p_value == pytest.approx(3 / 2000, abs=3e-3)
    assert joint.p_value >= 3 / 2000
    assert joint.step == 500


def test_a_break_out_of_reach_counts_nothing() -> None:
    """The observed score is 0.2, of 200 and 208: 500 and 515 are too far apart.

    By hand, so many of 1,009 shifts have it: those that move 200 or 500 to within 8 of 208 or 515. These are two
    windows of 16, and two that overlap and together are 23 long.
    """
    breaks = [_break("a", 200), _break("a", 500), _break("b", 208), _break("b", 515)]
    (joint,) = find_joint_breaks(breaks, STEPS, level=1.0)
    assert (joint.low, joint.high) == (200, 208)
    assert joint.p_value == pytest.approx((16 + 16 + 23) / 1009, abs=0.01)


def test_the_run_is_a_circle_for_the_shuffles() -> None:
    """A break at each end: as far from one another as the steps between them, with the reach added at the seam."""
    joint = find_joint_breaks([_break("a", 0), _break("b", 999)], STEPS, level=1.0)
    assert joint == []


def test_too_few_steps_or_metrics_have_nothing_to_share() -> None:
    breaks = [_break("a", 0), _break("b", 0)]
    assert find_joint_breaks(breaks, [0.0]) == []
    assert find_joint_breaks(breaks, [0.0, 1.0], level=1.0) != []


def test_the_level_is_the_largest_p_value_that_counts() -> None:
    breaks = [_break("a", 500), _break("b", 503)]
    (joint,) = find_joint_breaks(breaks, STEPS, level=1.0)
    assert find_joint_breaks(breaks, STEPS, level=joint.p_value) == [joint]
    assert find_joint_breaks(breaks, STEPS, level=joint.p_value - 1e-9) == []
    assert find_joint_breaks(breaks, STEPS, seed=5, level=1.0)[0].metrics == joint.metrics


def test_events_come_by_step() -> None:
    breaks = [_break(m, at) for at in (900, 100, 500) for m in ("a", "b")]
    assert [event.step for event in find_joint_breaks(breaks, STEPS)] == [100, 500, 900]


def test_it_does_not_matter_at_which_step_a_run_begins() -> None:
    places = [("a", 100), ("b", 104), ("a", 600), ("b", 607), ("c", 300)]
    first = find_joint_breaks([_break(m, at) for m, at in places], STEPS, level=1.0)
    later = find_joint_breaks([_break(m, at + 5000) for m, at in places], STEPS + 5000, level=1.0)
    assert first
    assert [(event.metrics, event.p_value, event.step + 5000) for event in first] == [
        (event.metrics, event.p_value, event.step) for event in later
    ]


def test_a_break_is_linked_to_the_nearest_of_the_other_metric() -> None:
    (joint,) = find_joint_breaks([_break("a", 500), _break("b", 495), _break("b", 502)], STEPS, level=1.0)
    assert (joint.low, joint.high, joint.step) == (500, 502, 501)
