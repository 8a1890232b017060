"""The boundary on data with a known answer: estimators over every subset, known crossings, the support, guessing."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from analysis.boundary.answers import Answered
from analysis.boundary.crossing import LEAST_QUESTIONS, band_of, crossing_of, grid_of
from analysis.boundary.guessing import at_least, guesser_of
from analysis.boundary.study import Names, boundary_study
from analysis.boundary.support import one_sided, support_of, upper_bound
from orz_bench.errors import ConfigError
from tests.support.model_pairs import CROSSING, NOT_CROSSING, drawn_crossing, true_crossing

NAMES = Names(benchmark="sums", base="base", run="run")


def answered(num_right: int, num: int = 8, *, right: str = "7", wrong: str = "3") -> Answered:
    counts = {right: num_right, wrong: num - num_right}
    return Answered(num=num, num_right=num_right, answers=Counter(counts), right=frozenset({right}))


def subsets(num_right: int, num: int, k: int) -> list[int]:
    """The number of right samples in each subset of k."""
    samples = [1] * num_right + [0] * (num - num_right)
    return [sum(chosen) for chosen in combinations(samples, k)]


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_curves_are_means_over_every_subset(n: int) -> None:
    """Questions with more samples than n count with all their subsets of n."""
    base = {f"q{c}": answered(c, n) for c in range(n + 1)}
    run = {f"q{c}": answered((3 * c + 1) % (n + 2), n + 1) for c in range(n + 1)}
    study = boundary_study(base, run, names=NAMES)
    assert study.n == n
    for side, passed, covered in ((base, study.pass_base, study.cover_base), (run, study.pass_run, study.cover_run)):
        for point in passed:
            drawn = [subsets(each.num_right, each.num, int(point.at)) for each in side.values()]
            assert point.value == pytest.approx(np.mean([np.mean([right > 0 for right in one]) for one in drawn]))
        for point in covered:
            drawn = [subsets(each.num_right, each.num, n) for each in side.values()]
            wanted = np.mean([np.mean([right >= point.at * n - 1e-9 for right in one]) for one in drawn])
            assert point.value == pytest.approx(wanted)
        assert [point.at for point in passed] == list(range(1, n + 1))
    assert [test.k for test in study.tests] == sorted({1, 2, n} | ({4} if n >= 4 else set()))
    for test in study.tests:
        assert test.comparison.average_a == pytest.approx(study.pass_base[test.k - 1].value)
        assert test.comparison.average_b == pytest.approx(study.pass_run[test.k - 1].value)


def test_known_crossings_are_in_the_interval() -> None:
    """The short form of benchmarks/boundary_crossings.py."""
    rng = np.random.default_rng(1)
    for name, kinds in CROSSING.items():
        truth = true_crossing(kinds, n=64)
        assert truth is not None, name
        found = [drawn_crossing(kinds, num_questions=100, n=64, rng=rng) for _ in range(10)]
        assert sum(one.holds(truth) for one in found) >= 9, name
        assert all(one.ahead_first == ("base" if name == "widening" else "run") for one in found if one.ahead_first)


def test_none_is_reported_without_one() -> None:
    rng = np.random.default_rng(2)
    for name, kinds in NOT_CROSSING.items():
        assert true_crossing(kinds, n=64) is None, name
        found = [drawn_crossing(kinds, num_questions=100, n=64, rng=rng) for _ in range(8)]
        assert sum(one.outcome == "crossing" for one in found) == 0, name
        if name == "behind":
            assert {(one.outcome, one.ahead_first) for one in found} == {("none", "base")}


def test_a_crossing_without_noise() -> None:
    """Alike questions: the band is as narrow as two added questions allow, and the place is that of the formula."""
    ks = grid_of(32)
    gap = np.array([(0.9**k - 0.5**k) * 0.6 - (1 - 0.95**k) * 0.5 for k in ks])
    found = crossing_of(band_of(np.tile(gap, (400, 1)), ks, n=32), num_questions=400)
    first = int(np.flatnonzero(gap < 0)[0])
    wanted = ks[first - 1] + gap[first - 1] / (gap[first - 1] - gap[first])
    assert found.outcome == "crossing"
    assert found.at == pytest.approx(wanted)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= wanted <= found.high <= found.low + 3


def test_few_questions_show_no_crossing() -> None:
    ks = (1, 2, 3, 4)
    band = band_of(np.tile([0.9, 0.5, -0.5, -0.9], (LEAST_QUESTIONS - 1, 1)), ks, n=4)
    found = crossing_of(band, num_questions=LEAST_QUESTIONS - 1)
    assert (found.outcome, found.low, found.high) == ("undecided", None, None)
    assert found.at == pytest.approx(2.5)


def test_equal_models_are_undecided() -> None:
    same = {f"q{c}": answered(c % 9) for c in range(20)}
    study = boundary_study(same, same, names=NAMES)
    assert study.crossing.outcome == "undecided"
    assert study.crossing.at is None
    assert all(test.comparison.p_value == 1 for test in study.tests)


def test_support_with_bounds() -> None:
    base = {"both": answered(3), "in": answered(0), "out": answered(8), "none": answered(0), "alone": answered(1)}
    run = {"both": answered(1), "in": answered(1), "out": answered(0, 20), "none": answered(0, 4)}
    found = support_of(base, run)
    assert (found.both, found.neither) == (1, 1)
    assert found.neither_at_most == pytest.approx(1 - 0.05 ** (1 / 4))
    (entered,), (left,) = found.entered, found.left
    assert (entered.problem_id, entered.num_right, entered.num_other) == ("in", 1, 8)
    assert entered.p_value == pytest.approx(0.5)
    assert not entered.is_sure
    assert left.p_value == pytest.approx(1 / math.comb(28, 8))
    assert left.is_sure
    assert left.other_at_most == pytest.approx(1 - 0.05 ** (1 / 20))


def test_bound_and_test_by_definition() -> None:
    assert (1 - upper_bound(17)) ** 17 == pytest.approx(0.05)
    arrangements = list(combinations(range(9), 3))
    assert one_sided(3, num=5, num_other=4) == pytest.approx(np.mean([max(one) < 5 for one in arrangements]))


def test_the_guesser_draws_answers_to_other_questions() -> None:
    """Three questions, two samples each: question a is right in one sample, its answer 7 is half of b's answers."""
    side = {
        "a": Answered(num=2, num_right=1, answers={"7": 1, "3": 1}, right=frozenset({"7"})),
        "b": Answered(num=2, num_right=0, answers={"7": 1, "3": 1}, right=frozenset({"9"})),
        "c": Answered(num=2, num_right=2, answers={"4": 2}, right=frozenset({"4"})),
    }
    guesser = guesser_of(side)
    assert guesser is not None
    assert dict(guesser.rates) == pytest.approx({"a": 0.25, "b": 0.0, "c": 0.0})
    assert guesser.pass_at(2) == pytest.approx((1 - 0.75**2) / 3)
    assert guesser.explained == {"a"}


def test_guesses_at_least_by_enumeration() -> None:
    for num_right in range(1, 6):
        ways = sum(math.comb(5, j) * 0.3**j * 0.7 ** (5 - j) for j in range(num_right, 6))
        assert at_least(num_right, num=5, rate=0.3) == pytest.approx(ways)
    assert at_least(1, num=5, rate=0.0) == 0
    assert at_least(5, num=5, rate=1.0) == 1


def test_guessing_of_a_random_base_is_found() -> None:
    """The base answers 0 to 9 at random, the trained model knows half and never the others."""
    rng = np.random.default_rng(3)
    base, run = {}, {}
    for at in range(60):
        gold = str(at % 10)
        guesses = Counter(map(str, rng.integers(0, 10, 32)))
        base[f"q{at}"] = Answered(num=32, num_right=guesses[gold], answers=guesses, right=frozenset({gold}))
        answers = {gold: 32} if at % 2 else {"none": 32}
        run[f"q{at}"] = Answered(num=32, num_right=32 * (at % 2), answers=answers, right=frozenset({gold}))
    study = boundary_study(base, run, names=NAMES)
    assert study.crossing.outcome == "crossing"
    assert study.guessing is not None
    assert study.guessing.pass_base > 0.9
    assert study.guessing.explained_base >= 50
    assert study.guessing.explained_run == 0
    assert study.guessing.crossing.outcome == "none"
    assert study.guessing.crossing.ahead_first == "run"


def test_without_answers_guessing_is_unknown() -> None:
    side = {f"q{c}": Answered(num=4, num_right=c % 5) for c in range(8)}
    assert boundary_study(side, side, names=NAMES).guessing is None


def test_what_cannot_be_compared_is_an_error() -> None:
    side = {"q0": answered(1), "q1": answered(2)}
    with pytest.raises(ConfigError, match="share no question"):
        boundary_study(side, {"x": answered(1)}, names=NAMES)
    with pytest.raises(ConfigError, match=r"run has one sample of q1.*--n 16 or more"):
        boundary_study(side, {"q0": answered(1), "q1": answered(1, 1)}, names=NAMES)
    with pytest.raises(ConfigError, match=r"k = 9, but a question has 8 samples.*with --n 16"):
        boundary_study(side, side, names=NAMES, ks=(1, 9, 16))
