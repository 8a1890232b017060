"""Accuracy of every rule against k and against tokens, with bands over questions; the front; paired tests."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from orz_bench.errors import ConfigError, counted
from orz_bench.results.comparison import Comparison, compare_values, holm
from orz_bench.results.scaling.question import AnsweredQuestion, Array
from orz_bench.results.scaling.rules import RULES, Draws, Estimates, Rule, estimates, get_rule, is_enumerated
from orz_bench.results.statistics import value_band

BASE = "majority"
"""The rule with which all others are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One rule with k samples, over all questions."""

    rule: str
    k: int
    accuracy: float
    low: float | None
    """With `high`: the 95 % interval over other questions of the kind; None for one question."""
    high: float | None
    length: float
    """Mean tokens (or characters) a question."""
    on_front: bool = False
    """No other rule and k is at least as accurate with fewer tokens. Never for a rule that needs to know the answer."""


@dataclass(frozen=True, slots=True)
class _Curve:
    """One rule: a row for each question, a column for each k."""

    accuracy: Array
    lengths: Array


@dataclass(frozen=True, slots=True)
class Setting:
    """A rule with k samples, or with a budget of tokens a question: the mixture of two neighbouring k that has it."""

    rule: str
    k: int | None = None
    length: float | None = None

    def __str__(self) -> str:
        return f"{self.rule}@{self.k}" if self.k is not None else f"{self.rule} with {self.length:,.0f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RulePair:
    """Two settings compared on the same questions: B minus A."""

    a: Setting
    b: Setting
    lengths: tuple[float, float]
    comparison: Comparison
    p_holm: float
    """Adjusted for the number of comparisons made together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """The curves of one evaluation."""

    questions: tuple[AnsweredQuestion, ...]
    rules: tuple[Rule, ...]
    ks: tuple[int, ...]
    points: tuple[Point, ...]
    curves: Mapping[str, _Curve]

    @property
    def n(self) -> int:
        """The number of samples of the question that has fewest."""
        return min(question.n for question in self.questions)

    def front(self) -> list[Point]:
        """The compute-optimal choices, cheapest first."""
        return sorted((point for point in self.points if point.on_front), key=lambda point: point.length)

    def points_of(self, rule: str) -> list[Point]:
        """By k."""
        return [point for point in self.points if point.rule == rule]

    def is_enumerated(self, rule: Rule) -> bool:
        """Whether its estimates are means over all subsets."""
        return all(is_enumerated(rule, question.n) for question in self.questions)

    def at(self, setting: Setting) -> tuple[dict[str, float], float]:
        """(accuracy by problem id, mean tokens). ConfigError for a rule, a k or a budget outside of the curves."""
        curve = self._curve(setting.rule)
        lengths = curve.lengths.mean(axis=0)
        if setting.k is not None:
            if setting.k not in self.ks:
                raise ConfigError(f"{setting}: k = {setting.k} is not computed; there are {_listed(self.ks)} (--k).")
            weights = (np.array(self.ks) == setting.k).astype(float)
        else:
            assert setting.length is not None
            weights = _mixture(lengths, setting)
        accuracy = curve.accuracy @ weights
        by_id = dict(zip((question.problem_id for question in self.questions), accuracy.tolist(), strict=True))
        return by_id, float(lengths @ weights)

    def compare(self, pairs: Sequence[tuple[Setting, Setting]]) -> list[RulePair]:
        """Each pair, with p-values adjusted for their number."""
        found = [(a, b, self.at(a), self.at(b)) for a, b in pairs]
        tests = [
            compare_values(left, right, samples_each=self._samples_each(a, b)) for a, b, (left, _), (right, _) in found
        ]
        adjusted = holm([test.p_value for test in tests])
        return [
            RulePair(a=a, b=b, lengths=(left[1], right[1]), comparison=test, p_holm=p)
            for (a, b, left, right), test, p in zip(found, tests, adjusted, strict=True)
        ]

    def at_equal_length(self) -> list[tuple[Setting, Setting]]:
        """Every rule against `majority` with the tokens of its middle k, and of its largest; none without `majority`.

        A rule that never needs as many is compared at the most that it needs.
        """
        if BASE not in self.curves:
            return []
        lengths = {name: curve.lengths.mean(axis=0) for name, curve in self.curves.items()}
        budgets = dict.fromkeys((float(lengths[BASE][len(self.ks) // 2]), float(lengths[BASE][-1])))
        pairs = [
            (rule.name, min(budget, float(lengths[rule.name].max())))
            for budget in budgets
            for rule in self.rules
            if rule.name != BASE and not rule.is_oracle
        ]
        return [(Setting(BASE, length=shared), Setting(name, length=shared)) for name, shared in dict.fromkeys(pairs)]

    def _curve(self, rule: str) -> _Curve:
        if rule not in self.curves:
            get_rule(rule)
            raise ConfigError(f"{rule} is not computed; there are {', '.join(self.curves)} (--rules).")
        return self.curves[rule]

    def _samples_each(self, a: Setting, b: Setting) -> float:
        """Independent tries that a figure of these settings amounts to."""
        mean = float(np.mean([question.lengths.mean() for question in self.questions]))
        ks = [setting.k if setting.k is not None else (setting.length or mean) / mean for setting in (a, b)]
        return max(1.0, self.n / max(ks))


def scaling_of(questions: Sequence[AnsweredQuestion], *, rules: Sequence[str] = (), ks: Sequence[int] = ()) -> Scaling:
    """All curves. `rules`: all that the answers allow by default; `ks`: powers of two up to n by default, and n.

    ConfigError for a k that some question has too few samples for, and for rules that need values where none are.
    """
    chosen = _rules(questions, rules)
    wanted = tuple(sorted(set(ks))) or default_ks(min(question.n for question in questions))
    _require_samples(questions, wanted)
    found: dict[str, list[Estimates]] = {rule.name: [] for rule in chosen}
    for question in questions:
        draws = Draws.of(question, wanted) if any(rule.drawn is not None for rule in chosen) else None
        for rule in chosen:
            found[rule.name].append(estimates(rule, question, ks=wanted, draws=draws))
    curves = {
        name: _Curve(np.array([each.accuracy for each in rows]), np.array([each.length for each in rows]))
        for name, rows in found.items()
    }
    points = [
        _point(rule, k, curve=curves[rule.name], at=at, questions=questions)
        for rule in chosen
        for at, k in enumerate(wanted)
    ]
    return Scaling(
        questions=tuple(questions), rules=tuple(chosen), ks=wanted, points=tuple(_with_front(points)), curves=curves
    )


def default_ks(n: int) -> tuple[int, ...]:
    """1, 2, 4, ... and n."""
    return tuple(sorted({1 << power for power in range(n.bit_length())} | {n}))


def parse_setting(text: str) -> Setting:
    """`majority@8`: a rule with k samples; `majority:2000`: with a budget of tokens. ConfigError for anything else."""
    for sign, name in (("@", "k"), (":", "length")):
        rule, found, number = text.partition(sign)
        if found and number.replace(".", "", 1).isdecimal() and float(number) > 0:
            value: Any = int(number) if name == "k" and number.isdecimal() else float(number)
            if name == "length" or isinstance(value, int):
                return Setting(get_rule(rule).name, **{name: value})
    raise ConfigError(f"{text!r} is not RULE@K or RULE:TOKENS, such as majority@8; the rules are {', '.join(RULES)}.")


def _rules(questions: Sequence[AnsweredQuestion], wanted: Sequence[str]) -> list[Rule]:
    has_values = all(question.values for question in questions)
    has_answers = all(question.knows_answers for question in questions)
    chosen = [get_rule(name) for name in dict.fromkeys(wanted)] or [
        rule for rule in RULES.values() if (has_values or not rule.needs_values) and (has_answers or not rule.votes)
    ]
    voting = [rule.name for rule in chosen if rule.votes and not has_answers]
    if voting:
        raise ConfigError(
            f"{', '.join(voting)}: the extracted answers of these samples are unknown, and these rules compare them; "
            f"import them with --grade, or leave these rules out."
        )
    lacking = [rule.name for rule in chosen if rule.needs_values and not has_values]
    if lacking:
        raise ConfigError(
            f"{', '.join(lacking)}: not every response has values of a critic; run orz-bench value RUN --critic PATH "
            f"first, or leave these rules out."
        )
    return chosen


def _require_samples(questions: Sequence[AnsweredQuestion], ks: Sequence[int]) -> None:
    fewest = min(questions, key=lambda question: question.n)
    if ks[0] < 1:
        raise ConfigError(f"--k {ks[0]}: wanted at least 1.")
    if ks[-1] > fewest.n:
        short = counted(sum(each.n < ks[-1] for each in questions), "question", verb=("has", "have"))
        raise ConfigError(
            f"k = {ks[-1]} wants that many samples of every question, but {short} "
            f"fewer ({fewest.problem_id} has {fewest.n}); generate more (orz-bench eval --n {ks[-1]}), or choose --k "
            f"up to {fewest.n}."
        )


def _point(rule: Rule, k: int, *, curve: _Curve, at: int, questions: Sequence[AnsweredQuestion]) -> Point:
    accuracy = curve.accuracy[:, at]
    band = value_band(accuracy.tolist(), samples_each=min(question.n for question in questions) / k)
    return Point(
        rule=rule.name,
        k=k,
        accuracy=min(1.0, max(0.0, float(accuracy.mean()))),
        low=band.low if band else None,
        high=band.high if band else None,
        length=float(curve.lengths[:, at].mean()),
    )


def _with_front(points: Sequence[Point]) -> list[Point]:
    """Mark what is on the front; of several that are the same for k = 1, the first."""
    best = -math.inf
    front = set()
    choices = [(at, point) for at, point in enumerate(points) if not RULES[point.rule].is_oracle]
    for at, point in sorted(choices, key=lambda pair: (round(pair[1].length, 6), -pair[1].accuracy, pair[0])):
        if point.accuracy > best + 1e-9:
            best = point.accuracy
            front.add(at)
    return [replace(point, on_front=at in front) for at, point in enumerate(points)]


def _mixture(lengths: Array, setting: Setting) -> Array:
    """Weights of two neighbouring k whose mean length is the budget: each question is given one of them at random."""
    wanted = setting.length or 0.0
    order = np.argsort(lengths, kind="stable")
    slack = 1e-9 * float(lengths.max())
    if not lengths.min() - slack <= wanted <= lengths.max() + slack:
        raise ConfigError(
            f"{setting}: this rule has {lengths.min():,.0f} to {lengths.max():,.0f} a question with these k; choose a "
            f"budget between, or other --k."
        )
    weights = np.zeros(len(lengths))
    for low, high in pairwise(order):
        if wanted <= lengths[high] + slack:
            width = lengths[high] - lengths[low]
            share = min(1.0, max(0.0, (wanted - lengths[low]) / width)) if width > 0 else 1.0
            weights[low], weights[high] = 1 - share, share
            return weights
    weights[order[-1]] = 1.0
    return weights


def _listed(ks: Sequence[int]) -> str:
    return ", ".join(map(str, ks))
