"""95 % intervals of shares that hold near 0 and 1, where standard errors collapse. Pure functions.

An interval is the binomial one for an effective number of samples: as many independent ones as would scatter as much as
what was seen. Method, sources and coverage: docs/statistics.md and benchmarks/interval_coverage.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
_TAIL = 0.025
_TIES = 0.7
"""How much of the probability of what was seen a tail counts: 1 is Clopper and Pearson's interval, wider than needed;
0.5 is mid-p, which covers only 92 % with 60 samples."""
_DOUBT_SAMPLING = 1.0
"""Added to the variance of the number of right samples: none of 0 was seen to be 0."""
_DOUBT_QUESTIONS = 1.5
"""Right samples, each with all others of its question, that are added where the scatter between questions is estimated;
fewer near one half, where it is well known."""
_ALIKE = 1.25
"""Ratio of the two sides of an interval up to which it is shown as `±`."""
_HALVINGS = 50
_MAX_TERMS = 1_000
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies in 95 of 100 cases."""

    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error of a normal distribution with an interval of this width."""
        return (self.high - self.low) / (2 * Z_95)


def sampling_interval(mean: float, *, error: float | None, num_samples: float) -> Interval | None:
    """Of a mean share over redrawn samples of the same questions; None where `error` is.

    `error`: its standard error from the scatter within the questions. `num_samples`: of all questions together.
    """
    if error is None:
        return None
    return binomial_interval(mean, samples_worth(mean, error=error, num_samples=num_samples))


def question_interval(mean: float, *, error: float | None, num_questions: int, num_samples: float) -> Interval | None:
    """Of a mean share over redrawn questions; None where `error`, its standard error over questions, is.

    Where no sample is right, or all are, each question is one trial: its samples may all be alike.
    """
    if error is None:
        return None
    return binomial_interval(
        mean, questions_worth(mean, error=error, num_questions=num_questions, num_samples=num_samples)
    )


def samples_worth(mean: float, *, error: float, num_samples: float) -> float:
    """Independent samples that would scatter as much as these within their questions; at least as many as there are."""
    pooled = mean * (1 - mean) / num_samples
    least = _DOUBT_SAMPLING / num_samples**2
    return num_samples / min(1.0, (error**2 + least) / pooled) if pooled > 0 else num_samples


def questions_worth(mean: float, *, error: float, num_questions: int, num_samples: float) -> float:
    """Independent samples that would scatter as much as these questions do."""
    pooled = mean * (1 - mean)
    if pooled <= 0:
        return num_questions
    share = max(num_questions * error**2 / pooled, num_questions / num_samples / 2)
    weight, doubt = num_samples * pooled, _DOUBT_QUESTIONS * (1 - 2 * mean) ** 2
    return num_questions * (weight + doubt) / (weight * share + doubt)


def percent_spread(mean: float, interval: Interval | None) -> str:
    """`± 3.1` where both sides are alike, else `0.0 to 0.7`, in percent, never 0; a dash for what is undefined."""
    if interval is None:
        return "–"
    below, above = mean - interval.low, interval.high - mean
    if max(below, above) <= _ALIKE * min(below, above):
        return f"± {_points((below + above) / 2)}"
    return f"{_points(interval.low)} to {_points(interval.high)}"


def _points(share: float) -> str:
    """One decimal, or the first digit that is not 0; 100 only for 1."""
    percent = 100 * share
    if 0 < percent < 0.05:
        return f"{percent:.1g}"
    return f"{percent:.{3 if 99.95 <= percent < 100 else 1}f}"


def binomial_interval(mean: float, num_trials: float) -> Interval:
    """Of a share seen in that many independent trials, which need not be whole; one-sided at 0 and at 1."""
    right = min(max(mean, 0.0), 1.0) * num_trials
    return Interval(_low(right, num_trials), 1.0 - _low(num_trials - right, num_trials))


def _low(right: float, num_trials: float) -> float:
    """The share at which that many right ones, or more, have a probability of 2.5 %."""
    low, high = 0.0, right / num_trials
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _upper_tail(right, num_trials, share=middle) < _TAIL:
            low = middle
        else:
            high = middle
    return low if right > 0 else 0.0


def _upper_tail(right: float, num_trials: float, *, share: float) -> float:
    """Probability of more right ones, and a part of that of as many."""
    wrong = num_trials - right
    more = beta_cdf(share, a=right + 1, b=wrong) if wrong > 0 else 0.0
    return _TIES * beta_cdf(share, a=right, b=wrong + 1) + (1 - _TIES) * more


def beta_cdf(x: float, *, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) with Lentz's method."""
    if x <= 0 or x >= 1 or a <= 0:
        return float(x > 0)
    if x > (a + 1) / (a + b + 2):
        return 1.0 - beta_cdf(1 - x, a=b, b=a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    upper, lower = 1.0, 1.0 / _not_zero(1.0 - (a + b) * x / (a + 1))
    value = lower
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1.0 / _not_zero(1.0 + term * lower)
            upper = _not_zero(1.0 + term / upper)
            value *= upper * lower
        if abs(upper * lower - 1.0) < 1e-12:
            break
    return math.exp(log_front) * value / a


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
