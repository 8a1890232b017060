"""Curves over questions, the front, budgets between two k, and paired tests."""

from __future__ import annotations

import numpy as np
import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.values import ValueSummary
from orz_bench.results.comparison import compare_values
from orz_bench.results.scaling.curves import Scaling, Setting, default_ks, parse_setting, scaling_of
from orz_bench.results.scaling.question import AnsweredQuestion, StoredAnswer
from orz_bench.results.statistics import pass_at_k


def a_question(number: int, right: int, wrong: int, *, has_values: bool = True) -> AnsweredQuestion:
    """Right answers are valued above wrong ones, and are twice as long."""
    samples = [
        StoredAnswer(
            is_correct=at < right,
            extracted="right" if at < right else "other",
            length=20.0 if at < right else 10.0,
            value=ValueSummary(final=0.9 if at < right else 0.2, minimum=0.1, mean=0.5) if has_values else None,
        )
        for at in range(right + wrong)
    ]
    return AnsweredQuestion.of(f"q{number}", samples)


def a_scaling(**options: object) -> Scaling:
    return scaling_of([a_question(at, right=1 + at % 4, wrong=4 - at % 4) for at in range(20)], **options)  # type: ignore[arg-type]


def test_a_point_is_the_mean_over_questions() -> None:
    (point,) = a_scaling(rules=["pass"], ks=[2]).points
    assert point.accuracy == pytest.approx(np.mean([pass_at_k(5, 1 + at % 4, k=2) for at in range(20)]))
    assert point.length == pytest.approx(np.mean([2 * (10 + 2 * (1 + at % 4)) for at in range(20)]))
    assert point.low is not None
    assert point.high is not None
    assert point.low < point.accuracy < point.high


def test_values_that_know_the_answer_reach_the_bound() -> None:
    scaling = a_scaling(rules=["pass", "best-final", "majority"])
    bound, best = (scaling.points_of(rule) for rule in ("pass", "best-final"))
    assert [point.accuracy for point in best] == pytest.approx([point.accuracy for point in bound])
    (pair,) = scaling.compare([(Setting("majority", k=5), Setting("best-final", k=5))])
    assert pair.comparison.difference == pytest.approx(0.5)
    assert pair.p_holm == 2 / 2**10


def test_the_front_has_what_no_other_setting_equals_with_fewer_tokens() -> None:
    scaling = a_scaling()
    front = scaling.front()
    assert "pass" not in {point.rule for point in front}
    assert [point.accuracy for point in front] == sorted(point.accuracy for point in front)
    for point in front:
        cheaper = [p for p in scaling.points if p.rule != "pass" and p.length < point.length]
        assert all(p.accuracy < point.accuracy for p in cheaper)


def test_a_budget_between_two_k_is_their_mixture() -> None:
    scaling = a_scaling(rules=["majority"], ks=[1, 3])
    (one, _), (three, _) = (scaling.at(Setting("majority", k=k)) for k in (1, 3))
    mean = float(np.mean([10 + 2 * (1 + at % 4) for at in range(20)]))
    mixed, length = scaling.at(Setting("majority", length=1.5 * mean))
    assert length == pytest.approx(1.5 * mean)
    assert mixed == pytest.approx({key: 0.75 * one[key] + 0.25 * three[key] for key in one})


def test_a_paired_test_is_that_of_compare() -> None:
    scaling = a_scaling(ks=[1, 5])
    pair = scaling.compare([(Setting("majority", k=1), Setting("best-final", k=5))])[0]
    (a, _), (b, _) = scaling.at(pair.a), scaling.at(pair.b)
    assert pair.comparison == compare_values(a, b, samples_each=1)


def test_every_rule_is_compared_at_equal_tokens_by_default() -> None:
    scaling = a_scaling()
    pairs = scaling.compare(scaling.at_equal_length())
    assert {pair.b.rule for pair in pairs} == set(scaling.curves) - {"pass", "majority"}
    for pair in pairs:
        assert pair.lengths[0] == pytest.approx(pair.lengths[1])


def test_without_values_the_rules_of_a_critic_are_left_out() -> None:
    questions = [a_question(at, 2, 3, has_values=False) for at in range(3)]
    assert not any(rule.needs_values for rule in scaling_of(questions).rules)
    with pytest.raises(ConfigError, match="best-final: not every response has values"):
        scaling_of(questions, rules=["best-final"])


def test_too_few_samples_for_a_k_name_the_question() -> None:
    questions = [a_question(0, 4, 4), a_question(1, 1, 2)]
    with pytest.raises(ConfigError, match=r"k = 4 .* 1 question has fewer \(q1 has 3\); .*--n 4"):
        scaling_of(questions, ks=[1, 4])
    assert scaling_of(questions).ks == (1, 2, 3)


def test_default_k() -> None:
    assert default_ks(1) == (1,)
    assert default_ks(12) == (1, 2, 4, 8, 12)
    assert default_ks(64) == (1, 2, 4, 8, 16, 32, 64)


def test_settings_are_parsed() -> None:
    assert parse_setting("majority@8") == Setting("majority", k=8)
    assert parse_setting("best-final:2000") == Setting("best-final", length=2000.0)
    for wrong in ("majority", "majority@0", "majority@1.5", "mean@8", "majority:x", "@8"):
        with pytest.raises(ConfigError):
            parse_setting(wrong)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (Setting("majority", k=3), "k = 3 is not computed"),
        (Setting("adaptive", k=1), "adaptive is not computed"),
        (Setting("majority", length=1e9), "choose a budget between"),
        (Setting("majority", length=0.5), "choose a budget between"),
    ],
)
def test_what_the_curves_lack_is_an_error(setting: Setting, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        a_scaling(rules=["majority"], ks=[1, 5]).at(setting)


def test_unknown_answers_leave_the_voting_rules_out() -> None:
    samples = [StoredAnswer(is_correct=at == 0, extracted=None, length=1.0) for at in range(4)]
    questions = [AnsweredQuestion.of("q", samples, knows_answers=False)]
    assert [rule.name for rule in scaling_of(questions).rules] == ["pass"]
    with pytest.raises(ConfigError, match="majority: the extracted answers"):
        scaling_of(questions, rules=["majority"])
