"""Every estimator against the mean over all subsets (or orders), computed one by one with plain code."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from orz_bench.errors import ConfigError
from orz_bench.records.intervals import beta_cdf
from orz_bench.records.values import ValueSummary
from orz_bench.results.scaling.question import AnsweredQuestion, StoredAnswer
from orz_bench.results.scaling.rules import RULES, estimates
from orz_bench.results.statistics import majority, pass_at_k

Samples = Sequence[StoredAnswer]


def a_sample(answer: str | None, *, length: float = 10.0, value: float = 0.5) -> StoredAnswer:
    """`right` is the right answer."""
    summary = ValueSummary(final=value, minimum=value / 2, mean=(value * 7) % 1)
    return StoredAnswer(is_correct=answer == "right", extracted=answer, length=length, value=summary)


def valued(sample: StoredAnswer) -> ValueSummary:
    assert sample.value is not None
    return sample.value


def random_samples(seed: int, n: int) -> list[StoredAnswer]:
    draw = random.Random(seed)
    answers = ["right", "a", "b", "c", None]
    weights = [draw.random() for _ in answers]
    return [
        a_sample(
            draw.choices(answers, weights)[0], length=float(draw.randint(2, 9) * 10), value=draw.choice([0.1, 0.4, 0.9])
        )
        for _ in range(n)
    ]


def ranked_share(samples: Samples, score: Callable[[StoredAnswer], float]) -> float:
    """The share of right ones among the answered samples of the highest score."""
    answered = [sample for sample in samples if sample.extracted is not None]
    if not answered:
        return 0.0
    best = max(map(score, answered))
    tied = [sample.is_correct for sample in answered if score(sample) == best]
    return sum(tied) / len(tied)


def voted_share(samples: Samples, weigh: Callable[[list[StoredAnswer]], float]) -> float:
    """1 / ties if the right answer is among those with the greatest score."""
    by_answer: dict[str, list[StoredAnswer]] = {}
    for sample in samples:
        if sample.extracted is not None:
            by_answer.setdefault(sample.extracted, []).append(sample)
    scores = {answer: weigh(group) for answer, group in by_answer.items()}
    if not scores:
        return 0.0
    tied = [answer for answer, score in scores.items() if math.isclose(score, max(scores.values()), rel_tol=1e-9)]
    return ("right" in tied) / len(tied)


def plain_majority(samples: Samples) -> float:
    return majority([s.extracted for s in samples], [s.is_correct for s in samples])


def plain_short_3(samples: Samples) -> tuple[float, float]:
    shortest = sorted(samples, key=lambda s: s.length)[:3]
    tokens = sum(s.length for s in shortest) + (len(samples) - len(shortest)) * shortest[-1].length
    votes = Counter(s.extracted for s in shortest if s.extracted is not None)
    tied = [answer for answer, count in votes.items() if count == max(votes.values())]
    first = next((s for s in shortest if s.extracted in tied), None)
    return float(first is not None and first.is_correct), tokens


def plain_early_stopping(samples: Samples) -> tuple[float, float]:
    drawn: list[StoredAnswer] = []
    for start in range(0, len(samples), 5):
        window = samples[start : start + 5]
        drawn += window
        if len(window) == 5 and window[0].extracted is not None and len({s.extracted for s in window}) == 1:
            break
    return plain_majority(drawn), sum(s.length for s in drawn)


def plain_adaptive(samples: Samples) -> tuple[float, float]:
    drawn: list[StoredAnswer] = []
    for sample in samples:
        drawn.append(sample)
        counts = sorted((*Counter(s.extracted for s in drawn if s.extracted is not None).values(), 0, 0))[::-1]
        if 1 - beta_cdf(0.5, a=counts[0] + 1, b=counts[1] + 1) >= 0.95:
            break
    return plain_majority(drawn), sum(s.length for s in drawn)


def with_all_tokens(choose: Callable[[Samples], float]) -> Callable[[Samples], tuple[float, float]]:
    return lambda samples: (choose(samples), sum(s.length for s in samples))


PLAIN: dict[str, Callable[[Samples], tuple[float, float]]] = {
    "pass": with_all_tokens(lambda samples: float(any(s.is_correct for s in samples))),
    "majority": with_all_tokens(plain_majority),
    "early-stopping": plain_early_stopping,
    "adaptive": plain_adaptive,
    "shortest-majority": with_all_tokens(
        lambda samples: voted_share(
            samples, lambda group: len(group) / math.log(max(math.e, sum(s.length for s in group) / len(group)))
        )
    ),
    "short-3": plain_short_3,
    "value-majority": with_all_tokens(
        lambda samples: voted_share(samples, lambda group: sum(valued(s).final for s in group))
    ),
    "best-final": with_all_tokens(lambda samples: ranked_share(samples, lambda s: valued(s).final)),
    "best-minimum": with_all_tokens(lambda samples: ranked_share(samples, lambda s: valued(s).minimum)),
    "best-mean": with_all_tokens(lambda samples: ranked_share(samples, lambda s: valued(s).mean)),
}
ORDERED = {"early-stopping", "adaptive", "short-3"}


def brute_force(rule: str, samples: Samples, k: int) -> tuple[float, float]:
    draws = itertools.permutations(samples, k) if rule in ORDERED else itertools.combinations(samples, k)
    found = [PLAIN[rule](list(draw)) for draw in draws]
    return float(np.mean([accuracy for accuracy, _ in found])), float(np.mean([tokens for _, tokens in found]))


def test_every_rule_has_a_plain_form() -> None:
    assert set(PLAIN) == set(RULES)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(4))
def test_estimates_are_the_mean_over_all_draws(rule: str, seed: int) -> None:
    samples = random_samples(seed, 6)
    if rule == "short-3":  # ties of the length are broken by the order of the samples
        samples = [a_sample(s.extracted, length=s.length + at / 8) for at, s in enumerate(samples)]
    ks = (1, 2, 3, 5, 6)
    found = estimates(RULES[rule], AnsweredQuestion.of("q", samples), ks=ks)
    wanted = [brute_force(rule, samples, k) for k in ks]
    np.testing.assert_allclose(found.accuracy, [accuracy for accuracy, _ in wanted], atol=1e-12)
    np.testing.assert_allclose(found.length, [tokens for _, tokens in wanted], rtol=1e-12)


@pytest.mark.parametrize("rule", [name for name, rule in RULES.items() if rule.closed_form is not None])
@pytest.mark.parametrize("seed", range(6))
def test_closed_forms_are_exact_for_more_samples(rule: str, seed: int) -> None:
    samples = random_samples(100 + seed, 11)
    ks = (1, 2, 4, 7, 10, 11)
    found = estimates(RULES[rule], AnsweredQuestion.of("q", samples), ks=ks)
    np.testing.assert_allclose(found.accuracy, [brute_force(rule, samples, k)[0] for k in ks], atol=1e-10)


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_drawn_rules_that_agree_with_the_majority_have_its_mean(k: int) -> None:
    samples = [a_sample(s.extracted, value=0.5) for s in random_samples(8, 9)]  # weighted votes, all of one weight
    question = AnsweredQuestion.of("q", samples)
    found, wanted = (estimates(RULES[rule], question, ks=(k,)) for rule in ("value-majority", "majority"))
    np.testing.assert_allclose(found.accuracy, wanted.accuracy, atol=1e-12)
    np.testing.assert_allclose(found.length, wanted.length, rtol=1e-12)


@pytest.mark.parametrize("rule", ["shortest-majority", "value-majority"])
def test_drawn_orders_estimate_the_mean_over_all_subsets(rule: str) -> None:
    samples = random_samples(7, 12)
    found = estimates(RULES[rule], AnsweredQuestion.of("q", samples), ks=(1, 4, 12))
    wanted = [brute_force(rule, samples, k)[0] for k in (1, 4, 12)]
    assert found.accuracy[0] == pytest.approx(wanted[0], abs=1e-12)  # rotations use every sample equally often
    assert found.accuracy[1] == pytest.approx(wanted[1], abs=0.06)
    assert found.accuracy[2] == pytest.approx(wanted[2], abs=1e-12)


def test_majority_of_all_samples_is_that_of_the_summary() -> None:
    samples = random_samples(3, 64)
    found = estimates(RULES["majority"], AnsweredQuestion.of("q", samples), ks=(64,))
    assert found.accuracy[0] == plain_majority(samples)


def test_majority_is_finite_for_thousands_of_samples() -> None:
    samples = [a_sample("right")] * 900 + [a_sample("a")] * 600 + [a_sample(None)] * 500
    found = estimates(RULES["majority"], AnsweredQuestion.of("q", samples), ks=(1, 3, 2000))
    assert found.accuracy[0] == pytest.approx(0.45)
    assert 0.45 < found.accuracy[1] < 0.7
    assert found.accuracy[2] == 1.0


def test_wrong_answers_that_differ_in_spaces_are_one() -> None:
    question = AnsweredQuestion.of("q", [a_sample("1 2"), a_sample("12"), a_sample("3"), a_sample(None)])
    assert question.answers.tolist() == [1, 1, 2, -1]


def test_a_k_above_n_is_refused() -> None:
    question = AnsweredQuestion.of("q", random_samples(0, 4))
    for rule in RULES.values():
        with pytest.raises(ConfigError, match="5 of 4 samples cannot be chosen"):
            estimates(rule, question, ks=(5,))
    with pytest.raises(ConfigError):
        pass_at_k(4, 0, k=5)
