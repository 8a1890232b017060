"""Intervals against exact tails and against the truth they are to cover."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import binom

from orz_bench.records.intervals import Interval, beta_cdf, binomial_interval, percent_spread, question_interval
from orz_bench.records.summary import Part, Summary
from orz_bench.results.statistics import question_band, question_error, sampling_band, sampling_error
from tests.support.builders import a_summary


def test_the_beta_function_is_scipys() -> None:
    rng = np.random.default_rng(0)
    for a, b, x in zip(10 ** rng.uniform(-2, 4, 300), 10 ** rng.uniform(-2, 4, 300), rng.random(300), strict=True):
        for place in (x, a / (a + b), min(1.0, 1.1 * a / (a + b))):
            assert beta_cdf(place, a=a, b=b) == pytest.approx(float(betainc(a, b, place)), abs=1e-9)


@pytest.mark.parametrize(("right", "num"), [(0, 30), (1, 30), (30, 30), (7, 480), (240, 480), (1, 2)])
def test_the_ends_match_the_tails(right: int, num: int) -> None:
    found = binomial_interval(right / num, num)
    if right > 0:
        tail = binom.sf(right, num, found.low) + 0.7 * binom.pmf(right, num, found.low)
        assert tail == pytest.approx(0.025, abs=1e-6)
    if right < num:
        tail = binom.cdf(right - 1, num, found.high) + 0.7 * binom.pmf(right, num, found.high)
        assert tail == pytest.approx(0.025, abs=1e-6)
    assert (found.low == 0) == (right == 0)
    assert (found.high == 1) == (right == num)


Mixture = Callable[[np.random.Generator, float, int], np.ndarray]


def alike(rng: np.random.Generator, mean: float, size: int) -> np.ndarray:
    return np.full(size, mean)


def mixed(rng: np.random.Generator, mean: float, size: int) -> np.ndarray:
    return rng.beta(mean * 1.5, (1 - mean) * 1.5, size=size)


def all_or_nothing(rng: np.random.Generator, mean: float, size: int) -> np.ndarray:
    return (rng.random(size) < mean).astype(float)


@pytest.mark.parametrize("mixture", [alike, mixed, all_or_nothing])
@pytest.mark.parametrize("mean", [0.002, 0.01, 0.05, 0.3, 0.95, 0.99])
def test_intervals_cover_the_truth(mean: float, mixture: Mixture) -> None:
    """30 questions, n = 16, 60 samples; full table: benchmarks/interval_coverage.py. Four deviations of slack."""
    rng = np.random.default_rng(1)
    sampled = asked = 0
    for _ in range(60):
        truth = mixture(rng, mean, 30)
        outcomes = [[index < count for index in range(16)] for count in rng.binomial(16, truth)]
        sampling, question = sampling_band(outcomes), question_band(outcomes)
        assert sampling is not None
        assert question is not None
        assert min(sampling.high - sampling.low, question.high - question.low) > 0
        sampled += sampling.low - 1e-12 <= truth.mean() <= sampling.high + 1e-12
        asked += question.low <= mean <= question.high
    assert sampled / 60 >= 0.93 - 4 * math.sqrt(0.93 * 0.07 / 60) / 2
    assert asked / 60 >= 0.85 - 4 * math.sqrt(0.85 * 0.15 / 60) / 2


@pytest.mark.parametrize("mean", [0.18, 0.3, 0.48])
def test_widths_in_the_middle_are_those_of_standard_errors(mean: float) -> None:
    rng = np.random.default_rng(2)
    ratios = []
    for _ in range(40):
        counts = rng.binomial(16, mixed(rng, mean, 30))
        outcomes = [[index < count for index in range(16)] for count in counts]
        sampling, question = sampling_band(outcomes), question_band(outcomes)
        assert sampling is not None
        assert question is not None
        ratios.append(
            (sampling.error / (sampling_error(outcomes) or 1), question.error / (question_error(outcomes) or 1))
        )
    assert np.mean(ratios, axis=0) == pytest.approx([1, 1], abs=0.1)


def test_questions_without_a_right_answer_are_as_many_trials() -> None:
    found = question_interval(0.0, error=0.0, num_questions=30, num_samples=480)
    assert found == binomial_interval(0.0, 30)


def test_what_one_sample_or_one_question_leaves_open() -> None:
    assert sampling_band([[True], [False]]) is None
    assert question_band([[True, False]]) is None


def test_spreads_as_text() -> None:
    assert percent_spread(0.5, Interval(0.4, 0.6)) == "± 10.0"
    assert percent_spread(0.0, Interval(0.0, 0.0069)) == "0.0 to 0.7"
    assert percent_spread(0.0, Interval(0.0, 0.00001)) == "0.0 to 0.001"
    assert percent_spread(1.0, Interval(0.99999, 1.0)) == "99.999 to 100.0"
    assert percent_spread(0.5, Interval(0.4999, 0.5001)) == "± 0.01"
    assert percent_spread(0.5, None) == "–"


def test_a_summary_of_an_older_version_gets_intervals() -> None:
    """Its standard errors of 0 are no certainty."""
    facts = {"num_problems": 30, "num_samples": 480, "n": 16, "avg_at_n": 0.0, "se_sampling": 0.0, "se_question": 0.0}
    old = {key: value for key, value in a_summary(**facts).to_json().items() if "low" not in key and "high" not in key}
    summary = Summary.from_json(old)
    assert summary.sampling_low == 0.0
    assert summary.sampling_high == pytest.approx(0.00692, abs=1e-4)
    assert summary.question_high == pytest.approx(0.105, abs=1e-3)
    part = Part.from_json({"value": 1.0, "standard_error": 0.0, "num": 9, "is_share": True})
    assert part.low is not None
    assert part.low < 0.8
