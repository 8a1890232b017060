"""Paired comparison against enumeration and simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from orz_bench.errors import ConfigError
from orz_bench.results.comparison import bootstrap_interval, compare, holm, sign_flip_p_value


def outcomes(shares: list[float], n: int = 16) -> dict[str, list[bool]]:
    return {f"q{i:02d}": [index < round(share * n) for index in range(n)] for i, share in enumerate(shares)}


def test_a_run_against_itself_may_differ_all_the_same() -> None:
    """Equal runs, also at 0 and at 100 %: nothing differs, yet neither interval nor detectable difference is 0."""
    for share in (0.0, 0.5, 1.0):
        found = compare(outcomes([share] * 30), outcomes([share] * 30))
        assert (found.difference, found.p_value) == (0, 1)
        assert -0.15 < found.low < -0.03 < 0.03 < found.high < 0.15
        assert 0.05 < (found.minimum_detectable_effect or 0) < 0.2
        assert found.gained == found.lost == ()
        assert found.outcome(0.01) == "inconclusive"


def test_more_questions_that_agree_say_more() -> None:
    widths = [compare(outcomes([0.0] * size), outcomes([0.0] * size)).high for size in (30, 200, 1000)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.005


def test_no_difference_of_few_questions_can_be_found() -> None:
    """Five questions that all move one way: p = 2 / 2^5 = 0.0625."""
    found = compare(outcomes([0.0] * 5), outcomes([1.0] * 5))
    assert found.p_value > 0.05
    assert found.minimum_detectable_effect is None


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.001, 0.05, "better"),
        (-0.005, 0.05, "no worse"),
        (-0.009, -0.001, "no worse"),
        (-0.01, 0.05, "inconclusive"),
        (-0.05, 0.05, "inconclusive"),
        (-0.05, -0.001, "worse"),
    ],
)
def test_outcomes_of_a_margin(low: float, high: float, outcome: str) -> None:
    found = replace(compare(outcomes([0.0] * 9), outcomes([0.5] * 9)), low=low, high=high)
    assert found.outcome(0.01) == outcome
    assert found.outcome(0.0) == ("inconclusive" if outcome == "no worse" and high > 0 else found.outcome(0.0))


def test_intervals_of_differences_hold_near_0_and_at_the_middle() -> None:
    """Differences of runs whose questions are alike, mixed, or all or nothing, redrawn 30 times each."""
    rng = np.random.default_rng(8)
    for mean_a, mean_b, strength in ((0.005, 0.01, 0.3), (0.3, 0.35, 0.5), (0.02, 0.02, 0.01), (0.99, 0.98, 0.3)):
        covered = 0
        for _ in range(30):
            a, b = (rng.beta(m * strength, (1 - m) * strength, size=40) for m in (mean_a, mean_b))
            drawn = [rng.binomial(16, np.clip(shares, 0, 1)) / 16 for shares in (a, b)]
            found = compare(outcomes(list(drawn[0])), outcomes(list(drawn[1])))
            covered += found.low <= mean_b - mean_a <= found.high
        assert covered / 30 >= 0.83, (mean_a, mean_b, strength)


def test_difference_and_flips() -> None:
    found = compare(outcomes([0.25, 0.5, 1.0]), outcomes([0.75, 0.5, 0.0]))
    assert found.difference == pytest.approx(-1 / 6)
    assert (found.gained, found.lost) == (("q00",), ("q02",))
    assert found.low <= found.difference <= found.high


def test_only_shared_questions_count() -> None:
    a, b = outcomes([1.0, 1.0]), outcomes([0.0, 1.0, 1.0])
    found = compare(a, b)
    assert (found.num_questions, found.num_only_a, found.num_only_b, found.difference) == (2, 0, 1, -0.5)
    with pytest.raises(ConfigError, match="share no question"):
        compare({"x": [True]}, {"y": [True]})


def test_few_questions_get_the_exact_p_value() -> None:
    differences = np.array([0.25, 0.5, -0.125, 0.75, 0.0])
    moved = differences[differences != 0]
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, moved, strict=True))) for signs in product((1, -1), repeat=4)
    ]
    wanted = sum(value >= abs(moved.sum()) - 1e-12 for value in sums) / len(sums)
    assert sign_flip_p_value(differences, np.random.default_rng(0)) == wanted


def test_many_questions_get_a_sampled_one() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.02, 0.2, size=300)
    z = differences.mean() / (differences.std(ddof=1) / np.sqrt(300))
    normal = 2 * (1 - 0.5 * (1 + _erf(abs(z) / np.sqrt(2))))
    assert sign_flip_p_value(differences, rng) == pytest.approx(normal, abs=0.02)


def test_p_values_are_uniform_where_nothing_differs() -> None:
    rng = np.random.default_rng(4)
    values = [sign_flip_p_value(rng.normal(size=30), rng) for _ in range(200)]
    assert 0.02 <= np.mean(np.array(values) < 0.05) <= 0.09


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(150):
        low, high = bootstrap_interval(rng.normal(0.1, 0.3, size=40), rng)
        covered += low <= 0.1 <= high
    assert 0.88 <= covered / 150 <= 0.99


def test_large_benchmarks_fit_in_memory() -> None:
    differences = np.random.default_rng(6).normal(size=14_000)
    assert 0 <= sign_flip_p_value(differences, np.random.default_rng(0)) <= 1


def test_the_minimum_detectable_effect_is_found_in_80_percent() -> None:
    rng = np.random.default_rng(7)
    spread, size = 0.3, 60
    effect = (1.959964 + 0.841621) * spread / np.sqrt(size)
    found = sum(sign_flip_p_value(rng.normal(effect, spread, size=size), rng) < 0.05 for _ in range(150))
    assert 0.7 <= found / 150 <= 0.9


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_same_comparison_twice_is_the_same() -> None:
    a, b = outcomes([0.1 * i for i in range(10)]), outcomes([0.05 * i for i in range(10)])
    assert compare(a, b) == compare(a, b)


def _erf(x: float) -> float:
    import math

    return math.erf(x)
