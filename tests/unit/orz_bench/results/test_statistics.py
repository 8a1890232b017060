"""Statistics against slow, obvious references: enumeration, simulation, hand-worked cases."""

from __future__ import annotations

import random
from itertools import combinations
from math import ceil, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.errors import ConfigError
from orz_bench.records.intervals import question_interval, sampling_interval
from orz_bench.records.summary import Summary
from orz_bench.results.statistics import (
    ScoredSample,
    average,
    g_pass_at_k,
    majority,
    mean_g_pass_at_k,
    pass_at_k,
    question_band,
    question_error,
    sampling_band,
    sampling_error,
    spread_error,
    summarise,
    value_band,
)

counts = st.integers(1, 8).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n)))


def drawn_subsets(n: int, c: int, k: int) -> list[int]:
    """How many of each k of n samples are correct, by enumeration."""
    outcomes = [True] * c + [False] * (n - c)
    return [sum(subset) for subset in combinations(outcomes, k)]


@given(counts)
def test_pass_at_k_is_the_share_of_subsets_with_a_right_one(count: tuple[int, int, int]) -> None:
    n, c, k = count
    subsets = drawn_subsets(n, c, k)
    assert pass_at_k(n, c, k=k) == pytest.approx(sum(right > 0 for right in subsets) / len(subsets))


@given(counts, st.sampled_from([0.25, 0.5, 0.75, 1.0]))
def test_g_pass_at_k_is_the_share_of_subsets_with_enough_right_ones(count: tuple[int, int, int], tau: float) -> None:
    n, c, k = count
    subsets = drawn_subsets(n, c, k)
    wanted = sum(right >= ceil(tau * k) for right in subsets) / len(subsets)
    assert g_pass_at_k(n, c, k=k, threshold=tau) == pytest.approx(wanted)


@given(counts)
def test_mean_g_pass_is_the_expected_excess_over_half(count: tuple[int, int, int]) -> None:
    n, c, k = count
    subsets = drawn_subsets(n, c, k)
    # sum over i > k/2 of P(right >= i), written as an expectation
    excess = [max(0, right - ceil(k / 2)) for right in subsets]
    assert mean_g_pass_at_k(n, c, k=k) == pytest.approx(2 / k * sum(excess) / len(excess))


def test_average_weighs_questions_alike() -> None:
    assert average([[True, True, True, True], [False, False]]) == 0.5


def test_sampling_error_matches_redrawn_samples() -> None:
    shares, n = [0.1, 0.5, 0.9, 0.3], 16
    rng = np.random.default_rng(0)
    redrawn = rng.binomial(n, shares, size=(40_000, len(shares))) / n
    estimates = []
    for row in redrawn[:2000]:
        outcomes = [[index < round(share * n) for index in range(n)] for share in row]
        estimates.append(sampling_error(outcomes) or 0.0)
    assert np.sqrt(np.mean(np.square(estimates))) == pytest.approx(redrawn.mean(axis=1).std(), rel=0.03)


def test_question_error_is_the_spread_of_question_means() -> None:
    outcomes = [[True, True], [True, False], [False, False]]
    assert question_error(outcomes) == pytest.approx(0.5 / sqrt(3))


def test_two_samples_or_two_questions_are_enough() -> None:
    assert sampling_error([[True, False], [True, True]]) == pytest.approx(0.25)
    assert question_error([[True], [False]]) == pytest.approx(0.5)
    assert spread_error([0.2, 0.6]) == pytest.approx(0.2)
    assert sampling_band([[True, False]]) is not None
    assert value_band([0.2]) is None
    assert value_band([0.2, 0.6]) is not None


def test_questions_with_few_samples_count_for_less_than_their_number() -> None:
    """4 and 1 samples, each question weighing the same: as good as 3.2 samples."""
    outcomes = [[True, False, True, False], [True]]
    wanted = question_interval(0.75, error=question_error(outcomes), num_questions=2, num_samples=3.2)
    assert question_band(outcomes) == wanted
    even = [[True, False], [False, False], [True, True]]
    wanted = sampling_interval(0.5, error=sampling_error(even), num_samples=6)
    assert sampling_band(even) == wanted


def test_bands_of_a_figure_know_its_tries() -> None:
    values = [0.25, 0.5, 1.0]
    for each in (1, 4):
        wanted = question_interval(7 / 12, error=spread_error(values), num_questions=3, num_samples=3 * each)
        assert value_band(values, samples_each=each) == wanted
    assert value_band(values) == value_band(values, samples_each=1)
    summary = a_summary_of([[True, False, False, False], [True, True, False, False], [False] * 4])
    assert list(summary.pass_at) == ["1", "2", "4"]
    assert list(summary.g_pass_at) == ["4@0.25", "4@0.5", "4@0.75", "4@1", "mean"]
    for k in (1, 2, 4):
        band = value_band([pass_at_k(4, c, k=k) for c in (1, 2, 0)], samples_each=4 / k)
        assert band is not None
        assert (summary.pass_at_low[str(k)], summary.pass_at_high[str(k)]) == (band.low, band.high)


def test_aime_noise_is_what_is_known() -> None:
    """30 questions, n = 16: 1.3 to 1.6 points of sampling error, 4.6 to 7.7 clustered by question (simulated)."""
    rng = random.Random(1)
    for strength in (0.5, 1.0):
        shares = [rng.betavariate(0.6 * strength, 0.6) for _ in range(30)]
        outcomes = [[rng.random() < share for _ in range(16)] for share in shares]
        assert 0.8 < 100 * (sampling_error(outcomes) or 0) < 2.0
        assert 4.0 < 100 * (question_error(outcomes) or 0) < 8.5


def test_errors_that_one_sample_or_one_question_cannot_have() -> None:
    assert sampling_error([[True], [False]]) is None
    assert question_error([[True, False]]) is None


@pytest.mark.parametrize(
    ("answers", "correct", "value"),
    [
        (["2", "2", "3"], [True, True, False], 1.0),
        (["3", "3", "2"], [False, False, True], 0.0),
        (["2", "3"], [True, False], 0.5),
        (["1/2", "0.5", "7", "7"], [True, True, False, False], 0.5),
        (["x + 1", "x+1", "2"], [False, False, True], 0.0),
        ([None, None, "2"], [False, False, True], 1.0),
        ([None, None], [False, False], 0.0),
    ],
)
def test_majority(answers: list[str | None], correct: list[bool], value: float) -> None:
    assert majority(answers, correct) == value


@given(st.integers(1, 6).flatmap(lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1)))
def test_summary_of_any_outcomes(outcomes: list[list[bool]]) -> None:
    samples = [a_sample(q, i, right) for q, row in enumerate(outcomes) for i, right in enumerate(row)]
    summary = summarise(samples, second_extractor="boxed")
    n = len(outcomes[0])
    assert summary.avg_at_n == pytest.approx(np.mean([np.mean(row) for row in outcomes]))
    assert summary.pass_at["1"] == pytest.approx(summary.avg_at_n)
    assert summary.pass_at[str(n)] == pytest.approx(np.mean([any(row) for row in outcomes]))
    values = [summary.pass_at[key] for key in sorted(summary.pass_at, key=int)]
    assert values == sorted(values)
    assert sum(summary.verdicts.values()) == summary.num_samples == len(samples)


def a_sample(question: int, index: int, right: bool, **changes: Any) -> ScoredSample:
    facts: dict[str, Any] = {
        "problem_id": f"q{question}",
        "sample_index": index,
        "verdict": "correct" if right else "wrong",
        "second_verdict": "wrong",
        "extracted": "2" if right else "3",
        "stop_reason": "eos",
        "num_tokens": 10,
        "completion_hash": f"{question}-{index}",
    }
    return ScoredSample(**facts | changes)


def test_rates_of_a_summary() -> None:
    samples = [
        a_sample(0, 0, True, num_tokens=10),
        a_sample(0, 1, False, stop_reason="length", num_tokens=40, completion_hash="same"),
        a_sample(1, 0, False, verdict="no_answer", extracted=None, num_tokens=20, completion_hash="other"),
        a_sample(1, 1, False, verdict="timeout", num_tokens=30, completion_hash="other", second_verdict="correct"),
    ]
    summary = summarise(samples, second_extractor="boxed")
    assert (summary.extraction_rate, summary.clip_rate, summary.no_answer_rate) == (0.75, 0.25, 0.25)
    assert summary.accuracy_finished == pytest.approx(1 / 3)
    assert summary.accuracy_second_extractor == 0.25
    assert summary.duplicate_rate == 0.25
    assert (summary.mean_tokens, summary.mean_tokens_correct, summary.mean_tokens_wrong) == (25, 10, 30)
    assert summary.token_percentiles == {"5": 11.5, "50": 25, "95": 38.5, "100": 40}
    assert summary.verdicts == {"correct": 1, "wrong": 1, "no_answer": 1, "timeout": 1}


def test_uneven_groups_are_summarised_by_the_smallest() -> None:
    samples = [a_sample(0, index, True) for index in range(3)] + [a_sample(1, 0, False)]
    summary = summarise(samples, second_extractor="boxed")
    assert (summary.n, summary.avg_at_n, summary.se_sampling) == (1, 0.5, None)


def a_summary_of(outcomes: list[list[bool]]) -> Summary:
    samples = [a_sample(q, i, right) for q, row in enumerate(outcomes) for i, right in enumerate(row)]
    return summarise(samples, second_extractor="boxed")


@pytest.mark.parametrize("right", [False, True])
def test_no_error_bar_is_0(right: bool) -> None:
    summary = a_summary_of([[right] * 16] * 30)
    assert 0 < (summary.se_sampling or 0) < (summary.se_question or 0)
    assert summary.sampling is not None
    assert summary.question is not None
    assert summary.sampling.high - summary.sampling.low == pytest.approx(0.0069, abs=1e-3)
    assert 0.05 < summary.question.high - summary.question.low < 0.15
    for key in summary.pass_at:
        assert summary.pass_at_high[key] - summary.pass_at_low[key] > 0.001
    assert (summary.maj_high or 0) - (summary.maj_low or 0) > 0.05


@pytest.mark.parametrize(("n", "mean"), [(1, None), (2, None), (3, None), (4, 1.0), (5, None), (16, 1.0)])
def test_mean_g_pass_of_a_perfect_model_is_1_or_undefined(n: int, mean: float | None) -> None:
    summary = a_summary_of([[True] * n] * 3)
    assert summary.g_pass_at["mean"] == mean
    assert ("g_pass_at mean" in summary.undefined) == (mean is None)


def test_what_is_undefined_says_why() -> None:
    summary = a_summary_of([[False]])
    plain = summary.to_json()
    nulls = {name for name, value in plain.items() if value is None}
    assert nulls == {name for name in summary.undefined if name != "g_pass_at mean"}
    assert {"se_sampling", "sampling_low", "se_question", "question_high", "duplicate_rate"} <= nulls
    assert Summary.from_json(plain) == summary


def test_more_samples_than_were_drawn_are_refused() -> None:
    assert pass_at_k(2, 1, k=2) == 1
    for figure in (
        lambda: pass_at_k(2, 0, k=4),
        lambda: pass_at_k(2, 0, k=0),
        lambda: g_pass_at_k(2, 0, k=4, threshold=0.5),
        lambda: a_summary_of([]),
    ):
        with pytest.raises(ConfigError):
            figure()
