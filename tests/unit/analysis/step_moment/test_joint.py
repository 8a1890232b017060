"""Breaks that metrics share, and those that only seem to."""

from __future__ import annotations

import numpy as np

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
