"""Statistics of graded samples. Pure functions; formulas, sources and pitfalls in docs/statistics.md.

Throughout, a question has n samples of which c are correct; p = c / n.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from orz_bench.errors import ConfigError, counted
from orz_bench.records.intervals import Interval, question_interval, sampling_interval
from orz_bench.records.rollout import StopReason, Verdict
from orz_bench.records.summary import Summary

_G_PASS_THRESHOLDS = (0.25, 0.5, 0.75, 1.0)
_LEAST_FOR_MEAN_G_PASS = 4
_TOKEN_PERCENTILES = (5, 50, 95, 100)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredSample:
    """The part of a rollout that statistics use."""

    problem_id: str
    sample_index: int
    verdict: Verdict
    second_verdict: Verdict | None
    """None, as for the other fields, where an imported file does not say."""
    extracted: str | None
    stop_reason: StopReason | None
    num_tokens: int | None
    completion_hash: str


def average(outcomes: Sequence[Sequence[bool]]) -> float:
    """avg@n: the mean over questions of the share that is correct."""
    return float(np.mean([sum(question) / len(question) for question in outcomes]))


def pass_at_k(n: int, c: int, *, k: int) -> float:
    """Probability that k samples drawn without replacement from n, c of them correct, hold a correct one.

    Unbiased; Chen et al. 2021 (2107.03374), equation 1. ConfigError for k > n.
    """
    _require_samples(n, k)
    if n - c < k:
        return 1.0
    return 1.0 - math.prod((n - c - i) / (n - i) for i in range(k))


def pass_at_every_k(n: int, c: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """pass_at_k for k = 1 to n, in this order."""
    drawn = np.arange(n)
    return 1.0 - np.cumprod(np.maximum(n - c - drawn, 0) / (n - drawn))


def g_pass_at_k(n: int, c: int, *, k: int, threshold: float) -> float:
    """Probability that at least ceil(threshold * k) of k samples are correct: Liu et al. 2024 (2412.13147), eq. 3.

    ConfigError for k > n.
    """
    _require_samples(n, k)
    least = math.ceil(threshold * k - 1e-9)
    if k == n:
        return float(c >= least)
    ways = sum(math.comb(c, j) * math.comb(n - c, k - j) for j in range(max(least, k - n + c), min(c, k) + 1))
    return ways / math.comb(n, k)


def mean_g_pass_at_k(n: int, c: int, *, k: int) -> float:
    """mG-Pass@k: 2/k times the sum of G-Pass@k over the thresholds i/k, i from ceil(k/2) + 1 to k; equation 5 there.

    Says little for k < 4, and for odd k, of which the sum of a perfect model is below 1.
    """
    first = math.ceil(k / 2) + 1
    return 2 / k * sum(g_pass_at_k(n, c, k=k, threshold=i / k) for i in range(first, k + 1))


def majority(answers: Sequence[str | None], correct: Sequence[bool]) -> float:
    """Probability that the most frequent answer is correct, ties broken at random; 0 if there is no answer.

    All correct answers are one class, however they are spelled; wrong answers are equal if their
    text without spaces is.
    """
    votes: Counter[str] = Counter()
    for answer, is_correct in zip(answers, correct, strict=True):
        if is_correct or answer is not None:
            votes["" if is_correct else "x" + answer_key(answer or "")] += 1
    most = max(votes.values(), default=0)
    tied = [answer for answer, count in votes.items() if count == most]
    return 1 / len(tied) if "" in tied else 0.0


def answer_key(answer: str) -> str:
    """The text by which two wrong answers are the same: without spaces."""
    return "".join(answer.split())


def sampling_error(outcomes: Sequence[Sequence[bool]]) -> float | None:
    """Standard error of avg@n over redrawn samples of these questions: sqrt(sum of p (1 - p) / (n - 1)) / questions.

    None for n = 1. 0 where the samples of every question agree, which no interval is: see sampling_band.
    """
    if min(map(len, outcomes)) < 2:
        return None
    variances = [_share(question) * (1 - _share(question)) / (len(question) - 1) for question in outcomes]
    return math.sqrt(sum(variances)) / len(outcomes)


def question_error(outcomes: Sequence[Sequence[bool]]) -> float | None:
    """Standard error of avg@n over redrawn questions, clustered by question (Miller 2024, 2411.00640, section 2).

    None for one question. 0 where the questions agree, which no interval is: see question_band.
    """
    return spread_error([_share(question) for question in outcomes])


def spread_error(values: Sequence[float]) -> float | None:
    """Standard error of the mean of one figure a question; None for one question."""
    return None if len(values) < 2 else float(np.std(values, ddof=1) / math.sqrt(len(values)))


def sampling_band(outcomes: Sequence[Sequence[bool]]) -> Interval | None:
    """The 95 % interval of avg@n over redrawn samples of these questions; None for n = 1."""
    return sampling_interval(
        average(outcomes), error=sampling_error(outcomes), num_samples=_effective_samples(outcomes)
    )


def question_band(outcomes: Sequence[Sequence[bool]]) -> Interval | None:
    """The 95 % interval of avg@n over redrawn questions; None for one question."""
    return question_interval(
        average(outcomes),
        error=question_error(outcomes),
        num_questions=len(outcomes),
        num_samples=_effective_samples(outcomes),
    )


def value_band(values: Sequence[float], *, samples_each: float = 1) -> Interval | None:
    """The 95 % interval of the mean of one figure in [0, 1] a question, over redrawn questions; None for one question.

    `samples_each`: independent tries that a question's figure amounts to: n / k for pass@k, 1 for a majority.
    """
    num = len(values)
    return question_interval(
        min(1.0, _mean(values)), error=spread_error(values), num_questions=num, num_samples=num * samples_each
    )


def _effective_samples(outcomes: Sequence[Sequence[bool]]) -> float:
    """Samples of all questions, where questions have as many; fewer otherwise, as every question weighs the same."""
    return len(outcomes) ** 2 / sum(1 / len(question) for question in outcomes)


def _require_samples(n: int, k: int) -> None:
    if not 1 <= k <= n:
        raise ConfigError(
            f"{k} of {counted(n, 'sample')} cannot be chosen; generate at least {max(1, k)} per question (--n)."
        )


def summarise(samples: Iterable[ScoredSample], *, second_extractor: str, has_extracted: bool = True) -> Summary:
    """All statistics of one evaluation. Wants at least one sample.

    A figure that needs what some sample lacks is None. `has_extracted`: whether `extracted` is known, so that None is a
    response without an answer.
    """
    by_question: dict[str, list[ScoredSample]] = defaultdict(list)
    for sample in samples:
        by_question[sample.problem_id].append(sample)
    if not by_question:
        raise ConfigError("no sample to summarise; ask at least one question (--limit).")
    questions = [sorted(group, key=lambda sample: sample.sample_index) for group in by_question.values()]
    rows = [sample for question in questions for sample in question]
    outcomes = [[sample.verdict == "correct" for sample in question] for question in questions]
    finished = [row.verdict == "correct" for row in rows if row.stop_reason != "length"]
    knows_ends = all(row.stop_reason is not None for row in rows)
    figures = {
        "num_problems": len(questions),
        "num_samples": len(rows),
        "n": min(map(len, questions)),
        "avg_at_n": average(outcomes),
        **_spread(outcomes),
        **_pass_and_majority(questions, outcomes),
        "extraction_rate": _mean(row.extracted is not None for row in rows) if has_extracted else None,
        "clip_rate": _mean(row.stop_reason == "length" for row in rows) if knows_ends else None,
        "no_answer_rate": _mean(row.verdict == "no_answer" for row in rows),
        "accuracy_finished": _mean(finished) if finished and knows_ends else None,
        "accuracy_second_extractor": average(
            [[s.second_verdict == "correct" for s in question] for question in questions]
        )
        if all(row.second_verdict is not None for row in rows)
        else None,
        "second_extractor": second_extractor,
        "duplicate_rate": _mean(_repeats(questions)) if len(rows) > len(questions) else None,
        "verdicts": dict(Counter(row.verdict for row in rows).most_common()),
        **_token_statistics(rows),
    } | ({} if has_extracted else _NO_MAJORITY)
    return Summary(**figures, undefined=_why_undefined(figures))


_NO_MAJORITY = {"maj_at_n": None, "maj_low": None, "maj_high": None}


_REASONS = {
    "se_sampling": "a question has one sample: how samples scatter is unknown",
    "sampling_low": "a question has one sample: how samples scatter is unknown",
    "sampling_high": "a question has one sample: how samples scatter is unknown",
    "se_question": "there is one question: how questions scatter is unknown",
    "question_low": "there is one question: how questions scatter is unknown",
    "question_high": "there is one question: how questions scatter is unknown",
    "maj_low": "there is one question: how questions scatter is unknown",
    "maj_high": "there is one question: how questions scatter is unknown",
    "duplicate_rate": "a question has one sample: none can repeat another",
    "accuracy_finished": "the token limit cut every response",
    "mean_tokens_correct": "no response is correct",
    "mean_tokens_wrong": "every response is correct",
    "g_pass_at mean": "mG-Pass wants an even number of samples a question, at least 4",
}


def _why_undefined(figures: Mapping[str, Any]) -> dict[str, str]:
    flat = {**figures, "g_pass_at mean": figures["g_pass_at"]["mean"]}
    reasons = (
        _REASONS
        | (_NO_TOKENS if flat["mean_tokens"] is None else {})
        | (_NO_ENDS if flat["clip_rate"] is None else {})
        | (_NO_ANSWERS if flat["extraction_rate"] is None else {})
        | _NO_SECOND
    )
    return {name: why for name, why in reasons.items() if flat[name] is None}


_NO_TOKENS = dict.fromkeys(
    ("mean_tokens", "mean_tokens_correct", "mean_tokens_wrong"), "the numbers of tokens are unknown"
)
_NO_ENDS = dict.fromkeys(("clip_rate", "accuracy_finished"), "it is unknown which responses the token limit cut")
_NO_ANSWERS = dict.fromkeys(("extraction_rate", "maj_at_n", "maj_low", "maj_high"), "the extracted answers are unknown")
_NO_SECOND = {"accuracy_second_extractor": "no second extractor graded every response"}


def _spread(outcomes: Sequence[Sequence[bool]]) -> dict[str, float | None]:
    """Standard errors and intervals. Where all samples or questions agree, the error is the interval's, never 0."""
    sampling, question = sampling_band(outcomes), question_band(outcomes)
    return {
        "se_sampling": sampling_error(outcomes) or (sampling.error if sampling else None),
        "se_question": question_error(outcomes) or (question.error if question else None),
        "sampling_low": sampling.low if sampling else None,
        "sampling_high": sampling.high if sampling else None,
        "question_low": question.low if question else None,
        "question_high": question.high if question else None,
    }


def _pass_and_majority(
    questions: Sequence[Sequence[ScoredSample]], outcomes: Sequence[Sequence[bool]]
) -> dict[str, Any]:
    n = min(map(len, outcomes))
    passed = {k: [pass_at_k(len(q), sum(q), k=k) for q in outcomes] for k in _ks(n)}
    bands = {k: value_band(values, samples_each=n / k) for k, values in passed.items()}
    votes = [
        majority([sample.extracted for sample in question], correct)
        for question, correct in zip(questions, outcomes, strict=True)
    ]
    band = value_band(votes)
    return {
        "pass_at": {str(k): _mean(values) for k, values in passed.items()},
        "pass_at_low": {str(k): found.low for k, found in bands.items() if found},
        "pass_at_high": {str(k): found.high for k, found in bands.items() if found},
        "maj_at_n": _mean(votes),
        "maj_low": band.low if band else None,
        "maj_high": band.high if band else None,
        "g_pass_at": _g_pass(outcomes, n),
    }


def _ks(n: int) -> list[int]:
    return sorted({1 << power for power in range(n.bit_length())} | {n})


def _g_pass(outcomes: Sequence[Sequence[bool]], n: int) -> dict[str, float | None]:
    by_threshold: dict[str, float | None] = {
        f"{n}@{threshold:g}": _mean(g_pass_at_k(len(q), sum(q), k=n, threshold=threshold) for q in outcomes)
        for threshold in _G_PASS_THRESHOLDS
    }
    says_something = n % 2 == 0 and n >= _LEAST_FOR_MEAN_G_PASS
    means = [mean_g_pass_at_k(len(q), sum(q), k=n) for q in outcomes] if says_something else []
    return by_threshold | {"mean": _mean(means) if means else None}


def _token_statistics(rows: Sequence[ScoredSample]) -> dict[str, Any]:
    if any(row.num_tokens is None for row in rows):
        return {"mean_tokens": None, "token_percentiles": {}, "mean_tokens_correct": None, "mean_tokens_wrong": None}
    tokens = np.array([row.num_tokens for row in rows], dtype=float)
    is_correct = np.array([row.verdict == "correct" for row in rows])
    percentiles = np.percentile(tokens, _TOKEN_PERCENTILES)
    return {
        "mean_tokens": float(tokens.mean()),
        "token_percentiles": {str(q): float(value) for q, value in zip(_TOKEN_PERCENTILES, percentiles, strict=True)},
        "mean_tokens_correct": float(tokens[is_correct].mean()) if is_correct.any() else None,
        "mean_tokens_wrong": float(tokens[~is_correct].mean()) if not is_correct.all() else None,
    }


def _repeats(questions: Sequence[Sequence[ScoredSample]]) -> list[bool]:
    """For every sample: whether an earlier one of its question has the same text."""
    repeats = []
    for question in questions:
        seen: set[str] = set()
        for sample in question:
            repeats.append(sample.completion_hash in seen)
            seen.add(sample.completion_hash)
    return repeats


def _share(question: Sequence[bool]) -> float:
    return sum(question) / len(question)


def _mean(values: Iterable[float]) -> float:
    return float(np.mean(list(values)))
