"""Paired comparison against enumeration and simulation."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from orz_bench.errors import ConfigError
from orz_bench.results.comparison import (
    bootstrap_interval,
    compare,
    compare_values,
    holm,
    sign_flip_p_value,
    unseen_difference,
)


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
        (0.0, 0.05, "no worse"),
        (-0.05, 0.0, "inconclusive"),
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
    without_margin = "better" if low > 0 else "worse" if high < 0 else "inconclusive"
    assert found.outcome(0.0) == without_margin


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


def test_one_shared_question() -> None:
    found = compare({"x": [True, True, False, False]}, {"x": [False] * 4, "y": [True]})
    assert (found.num_questions, found.difference, found.p_value) == (1, -0.5, 1.0)
    assert found.low <= -0.5 <= found.high
    assert found.low < found.high
    assert found.minimum_detectable_effect is None
    assert (found.gained, found.lost) == ((), ())


def test_half_of_the_samples_is_not_most() -> None:
    found = compare(outcomes([0.5, 1.0, 0.25, 0.5]), outcomes([1.0, 0.5, 0.5, 0.5]))
    assert (found.gained, found.lost) == (("q00",), ("q01",))


def test_the_detectable_difference_by_hand() -> None:
    """Six questions; the two that are added for what was not seen scatter, too."""
    differences = np.array([0.5, 0.0, -0.25, 0.25, 0.0, 0.0])
    unseen = (4 * 0.375 + 1) / (4 * 1.0 + 1)
    assert unseen_difference(differences, samples_each=4) == pytest.approx(unseen)
    scatter = float(np.sum((differences - differences.mean()) ** 2)) + 2 * unseen**2
    wanted = (1.959964 + 0.841621) * np.sqrt(scatter / 5 / 6)
    a = dict(zip("abcdef", [0.25] * 6, strict=True))
    b = {key: a[key] + difference for key, difference in zip("abcdef", differences, strict=True)}
    found = compare_values(a, b, samples_each=4)
    assert found.minimum_detectable_effect == pytest.approx(wanted)
    assert compare_values(a, b) == compare_values(a, b, samples_each=1) != found
    everything = compare_values(dict.fromkeys("abcdef", 0.0), dict.fromkeys("abcdef", 1.0))
    assert (everything.low < everything.high, everything.high) == (True, 1.0)
    opposite = compare_values(
        dict(zip("abcdef", [0, 1] * 3, strict=True)), dict(zip("abcdef", [1, 0] * 3, strict=True))
    )
    assert opposite.minimum_detectable_effect is None


def test_the_fewest_samples_of_any_question_count() -> None:
    a, b = outcomes([0.5] * 8, n=4), outcomes([0.75] * 8, n=8)
    shares = [{key: float(np.mean(values)) for key, values in side.items()} for side in (a, b)]
    assert compare(a, b) == compare_values(*shares, samples_each=4)


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


def test_fourteen_questions_are_enumerated_and_fifteen_are_not() -> None:
    differences = np.random.default_rng(1).normal(0.1, 0.3, size=15)
    for size, is_exact in ((14, True), (15, False)):
        values = {sign_flip_p_value(differences[:size], np.random.default_rng(seed)) for seed in range(3)}
        assert (len(values) == 1) == is_exact
        signs = np.array(list(product((1, -1), repeat=size)))
        wanted = np.mean(np.abs(signs @ differences[:size]) >= abs(differences[:size].sum()) - 1e-12)
        assert [pytest.approx(wanted, abs=0 if is_exact else 0.02)] * len(values) == sorted(values)


def test_many_questions_get_a_sampled_one() -> None:
    rng = np.random.default_rng(3)
    differences = rng.normal(0.02, 0.2, size=300)
    z = differences.mean() / (differences.std(ddof=1) / np.sqrt(300))
    normal = 2 * (1 - 0.5 * (1 + _erf(abs(z) / np.sqrt(2))))
    assert sign_flip_p_value(differences, rng) == pytest.approx(normal, abs=0.02)


def test_a_p_value_is_never_below_one_among_all_draws() -> None:
    """Forty questions that all move one way: no drawn pattern is as far from zero, but that which was observed is."""
    assert sign_flip_p_value(np.full(40, 0.5), np.random.default_rng(0)) == 1 / 20_001


def test_interval_ends_are_the_percentiles_of_resampled_means() -> None:
    differences = np.random.default_rng(9).normal(0.1, 0.3, size=60)
    among = np.append(differences, [0.2, -0.2])
    rng = np.random.default_rng(10)
    means = np.array([rng.choice(among, size=62).sum() / 60 for _ in range(20_000)])
    low, high = bootstrap_interval(differences, np.random.default_rng(11), unseen=0.2)
    wanted = np.quantile(means, [0.025, 0.975])
    assert [low, high] == [pytest.approx(value, abs=0.08 * means.std()) for value in wanted]


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
    differences = np.random.default_rng(6).normal(0.01, 1, size=14_000)
    z = differences.mean() / (differences.std() / np.sqrt(14_000))
    found = sign_flip_p_value(differences, np.random.default_rng(0))
    assert found == pytest.approx(1 - _erf(abs(z) / np.sqrt(2)), abs=0.02)


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
