"""95 % intervals of shares that are valid near 0 and 1, where standard errors collapse. Pure functions.

Each is the binomial interval for an effective number of samples: the number of independent samples with the observed
scatter. Method, sources and coverage: docs/statistics.md and benchmarks/interval_coverage.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z_95 = 1.959963984540054
_TAIL = 0.025
_TIES = 0.7
"""Weight of the observed outcome's probability in a tail: 1 is Clopper and Pearson's interval, wider than needed; 0.5
is mid-p, which covers only 92 % with 60 samples."""
_DOUBT_SAMPLING = 1.0
"""Added to the variance of the number of correct samples: an observed variance of 0 does not show that it is 0."""
_DOUBT_QUESTIONS = 1.5
"""Correct samples, each with all others of its question, that are added to estimate the scatter between questions;
fewer near one half, where the scatter is well known."""
_ALIKE = 1.25
"""Maximum ratio of the two sides of an interval shown as `±`."""
_HALVINGS = 50
_MAX_TERMS = 1_000
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval that contains the true value in 95 of 100 cases."""

    low: float
    high: float

    @property
    def error(self) -> float:
        """The standard error of a normal distribution whose interval has this width."""
        return (self.high - self.low) / (2 * Z_95)


def sampling_interval(mean: float, *, error: float | None, num_samples: float) -> Interval | None:
    """The interval of a mean share over resampled answers to the same questions; None if `error` is None.

    `error`: its standard error from the scatter within questions. `num_samples`: of all questions together.
    """
    if error is None:
        return None
    return binomial_interval(mean, samples_worth(mean, error=error, num_samples=num_samples))


def question_interval(mean: float, *, error: float | None, num_questions: int, num_samples: float) -> Interval | None:
    """The interval of a mean share over resampled questions; None if `error` (its standard error over questions) is.

    If no sample is correct, or all are, each question is one trial: its samples may all be alike.
    """
    if error is None:
        return None
    return binomial_interval(
        mean, questions_worth(mean, error=error, num_questions=num_questions, num_samples=num_samples)
    )


def samples_worth(mean: float, *, error: float, num_samples: float) -> float:
    """The number of independent samples with the scatter of these within their questions; at least their number."""
    pooled = mean * (1 - mean) / num_samples
    least = _DOUBT_SAMPLING / num_samples**2
    return num_samples / min(1.0, (error**2 + least) / pooled) if pooled > 0 else num_samples


def questions_worth(mean: float, *, error: float, num_questions: int, num_samples: float) -> float:
    """The number of independent samples with the same scatter as these questions."""
    pooled = mean * (1 - mean)
    if pooled <= 0:
        return num_questions
    share = max(num_questions * error**2 / pooled, num_questions / num_samples / 2)
    weight, doubt = num_samples * pooled, _DOUBT_QUESTIONS * (1 - 2 * mean) ** 2
    return num_questions * (weight + doubt) / (weight * share + doubt)


def percent_spread(mean: float, interval: Interval | None) -> str:
    """`± 3.1` if both sides are similar, otherwise `0.0 to 0.7`, in percent, never 0; a dash if undefined."""
    if interval is None:
        return "–"
    below, above = mean - interval.low, interval.high - mean
    if max(below, above) <= _ALIKE * min(below, above):
        return f"± {_points((below + above) / 2)}"
    return f"{_points(interval.low)} to {_points(interval.high)}"


def _points(share: float) -> str:
    """One decimal, or the first nonzero digit; 100 only for exactly 1."""
    percent = 100 * share
    if 0 < percent < 0.05:
        return f"{percent:.1g}"
    return f"{percent:.{3 if 99.95 <= percent < 100 else 1}f}"


def binomial_interval(mean: float, num_trials: float) -> Interval:
    """The interval of a share in that many independent trials (not necessarily an integer); one-sided at 0 and at 1."""
    right = min(max(mean, 0.0), 1.0) * num_trials
    return Interval(_low(right, num_trials), 1.0 - _low(num_trials - right, num_trials))


def _low(right: float, num_trials: float) -> float:
    """The share at which that many correct ones, or more, have a probability of 2.5 %."""
    low, high = 0.0, right / num_trials
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _upper_tail(right, num_trials, share=middle) < _TAIL:
            low = middle
        else:
            high = middle
    return low if right > 0 else 0.0


def _upper_tail(right: float, num_trials: float, *, share: float) -> float:
    """Probability of more correct ones, plus part of the probability of as many."""
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
