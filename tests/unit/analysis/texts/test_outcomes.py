"""Reflection and being right: against a slow oracle, on data in which length confounds, coverage of the intervals."""

from __future__ import annotations

import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtrit

from analysis.texts.outcomes import outcome_effect


def frame(**columns: object) -> pd.DataFrame:
    """A features frame with what outcome_effect reads."""
    return pd.DataFrame({"step": 1, "benchmark": "b", "num_chars": 1} | columns).astype({"is_correct": "boolean"})


def random_frame(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 300
    return frame(
        step=rng.integers(1, 3, n),
        problem_id=[f"p{k}" for k in rng.integers(0, 12, n)],
        num_tokens=rng.integers(1, 60, n),
        reflects=rng.random(n) < 0.4,
        is_correct=rng.random(n) < 0.5,
    )


COLUMNS = ["problem_id", "num_tokens", "reflects", "is_correct"]


def slow_matched(features: pd.DataFrame, num_bins: int) -> tuple[Fraction, float, float]:
    """(weighted difference, ends of its interval), stratum by stratum, in exact arithmetic up to the quantile."""
    strata: dict[tuple[str, str, int], list[tuple[bool, bool]]] = defaultdict(list)
    for step, rows in features.groupby("step"):
        lengths = sorted(rows["num_tokens"])
        for problem, length, reflects, right in rows[COLUMNS].to_numpy().tolist():
            length_bin = num_bins * lengths.index(length) // len(lengths)
            strata[str(step), problem, length_bin].append((reflects, right))
    weights: dict[str, Fraction] = defaultdict(Fraction)
    weighted: dict[str, Fraction] = defaultdict(Fraction)
    for (_, problem, _), pairs in strata.items():
        yes = [right for reflects, right in pairs if reflects]
        no = [right for reflects, right in pairs if not reflects]
        if yes and no:
            weight = Fraction(len(yes) * len(no), len(pairs))
            weights[problem] += weight
            weighted[problem] += weight * (Fraction(sum(yes), len(yes)) - Fraction(sum(no), len(no)))
    num, total = len(weights), sum(weights.values(), Fraction())
    estimate = sum(weighted.values(), Fraction()) / total
    usual = total / num
    weights |= {"added up": usual, "added down": usual}
    weighted |= {"added up": usual, "added down": -usual}
    total += 2 * usual
    centre = sum(weighted.values(), Fraction()) / total
    squares = sum((weighted[p] - centre * weights[p]) ** 2 for p in weights) / total**2
    half = stdtrit(num - 1, 0.975) * math.sqrt(squares * (num + 2) / (num + 1))
    return estimate, float(centre) - half, float(centre) + half


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("num_bins", [1, 4])
def test_matched_difference_is_that_of_the_definition(seed: int, num_bins: int) -> None:
    features = random_frame(seed)
    estimate, low, high = slow_matched(features, num_bins)
    effect = outcome_effect(features, num_length_bins=num_bins)
    assert effect.matched is not None
    assert effect.matched.estimate == pytest.approx(float(estimate))
    assert (effect.matched.low, effect.matched.high) == pytest.approx((low, high))


def singles(num_reflecting: int, *, right_if: np.ndarray, right_if_not: np.ndarray) -> pd.DataFrame:
    """One response a question, as in a greedy evaluation."""
    reflects = np.arange(num_reflecting + len(right_if_not)) < num_reflecting
    return frame(
        problem_id=[f"p{k}" for k in range(len(reflects))],
        reflects=reflects,
        is_correct=np.concatenate([right_if, right_if_not]),
    )


def test_one_reflecting_response_of_500_is_uninformative() -> None:
    effect = outcome_effect(singles(1, right_if=np.array([False]), right_if_not=np.arange(499) < 315))
    assert effect.raw is not None
    assert effect.raw.estimate == pytest.approx(-0.631, abs=0.001)
    assert (effect.raw.low, effect.raw.high) == (None, None)


def test_questions_that_agree_leave_a_wide_interval() -> None:
    pairs = frame(
        problem_id=np.repeat([f"p{k}" for k in range(5)], 2),
        num_tokens=1,
        reflects=[True, False] * 5,
        is_correct=[True, False] * 5,
    )
    for difference in (outcome_effect(pairs).matched, outcome_effect(pairs).raw):
        assert difference is not None
        assert difference.low is not None
        assert difference.low < 0.5
        assert (difference.estimate, difference.high) == (1.0, 1.0)


@pytest.mark.parametrize("num_reflecting", [5, 40, 200])
@pytest.mark.parametrize(("right_if", "right_if_not"), [(0.03, 0.63), (0.5, 0.5)])
def test_raw_intervals_hold_the_truth_with_few_reflections(
    num_reflecting: int, right_if: float, right_if_not: float
) -> None:
    rng = np.random.default_rng(num_reflecting)
    held = 0
    for _ in range(60):
        drawn = singles(
            num_reflecting,
            right_if=rng.random(num_reflecting) < right_if,
            right_if_not=rng.random(500 - num_reflecting) < right_if_not,
        )
        raw = outcome_effect(drawn).raw
        assert raw is not None
        assert raw.low is not None
        assert raw.high is not None
        held += raw.low <= right_if - right_if_not <= raw.high
    # 95 % less three standard errors of 60 draws.
    assert held / 60 >= 0.865


def test_raw_difference_is_that_of_the_shares() -> None:
    features = random_frame(0)
    yes, no = features[features["reflects"]], features[~features["reflects"]]
    effect = outcome_effect(features)
    assert effect.raw is not None
    assert effect.raw.estimate == pytest.approx(yes["is_correct"].mean() - no["is_correct"].mean())
    assert (effect.accuracy_reflecting, effect.accuracy_other) == pytest.approx(
        (yes["is_correct"].mean(), no["is_correct"].mean())
    )
    assert (effect.num_responses, effect.num_reflecting) == (300, len(yes))


def test_counts_of_strata() -> None:
    features = frame(
        problem_id=["a", "a", "b", "b", "c"],
        num_tokens=5,
        reflects=[True, False, True, True, False],
        is_correct=[True, False, True, False, None],
    )
    effect = outcome_effect(features)
    assert (effect.num_responses, effect.num_strata, effect.num_informative_strata) == (4, 2, 1)
    assert (effect.num_matched_responses, effect.num_matched_questions, effect.length_unit) == (2, 1, "tokens")
    assert effect.matched is not None
    assert (effect.matched.estimate, effect.matched.low, effect.matched.high) == (1.0, None, None)


@pytest.mark.parametrize("reflects", [[True, True], [False, False]])
def test_nothing_to_compare_is_none(reflects: list[bool]) -> None:
    effect = outcome_effect(frame(problem_id=["a", "a"], reflects=reflects, is_correct=[True, False]))
    assert effect.raw is None
    assert effect.matched is None
    assert [effect.accuracy_reflecting, effect.accuracy_other].count(None) == 1


def test_no_verdicts_and_no_rows_are_none() -> None:
    assert outcome_effect(frame(problem_id=["a"], reflects=[True], is_correct=[None])).raw is None
    assert outcome_effect(random_frame(0).iloc[:0]).matched is None


def test_without_problems_nothing_is_matched() -> None:
    effect = outcome_effect(random_frame(0).drop(columns="problem_id"))
    assert effect.raw is not None
    assert effect.raw.low is not None
    assert effect.matched is None


def simulated(rng: np.random.Generator, *, effect: float, num_questions: int) -> pd.DataFrame:
    """Hard questions get longer answers, which reflect more and are wrong more; then `effect` of reflecting."""
    samples = 16
    ease = np.repeat(rng.uniform(0.2, 0.8, num_questions), samples)
    length = rng.gamma(4, 100 / ease)
    chance = 1 / (1 + np.exp(-2 * (np.log(length) - 6.5)))
    reflects = rng.random(len(ease)) < chance
    right = 0.2 * ease + 0.62 - 0.55 * chance + effect * reflects
    return frame(
        problem_id=[f"p{row // samples}" for row in range(len(ease))],
        num_tokens=length.astype(int),
        reflects=reflects,
        is_correct=rng.random(len(ease)) < right,
    )


def test_a_confounded_difference_vanishes_when_matched() -> None:
    effect = outcome_effect(simulated(np.random.default_rng(0), effect=0.0, num_questions=2000))
    assert effect.raw is not None
    assert effect.matched is not None
    assert effect.raw.high is not None
    assert effect.raw.high < -0.1
    assert abs(effect.matched.estimate) < 0.02
    assert effect.matched.low is not None
    assert effect.matched.high is not None
    assert effect.matched.low < 0 < effect.matched.high


@pytest.mark.parametrize("true_effect", [0.0, 0.15])
def test_intervals_hold_the_truth_as_often_as_they_say(true_effect: float) -> None:
    rng = np.random.default_rng(1)
    effects = [outcome_effect(simulated(rng, effect=true_effect, num_questions=60)).matched for _ in range(120)]
    low = np.array([effect.low for effect in effects if effect], dtype=float)
    high = np.array([effect.high for effect in effects if effect], dtype=float)
    covered = np.mean((low <= true_effect) & (true_effect <= high))
    assert len(low) == 120
    # 95 % less three standard errors of 120 draws.
    assert covered >= 0.89
