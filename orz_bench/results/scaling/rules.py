"""The rules of test-time scaling: each chooses an answer from k samples of a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from orz_bench.errors import ConfigError, nearest
from orz_bench.records.values import Assessment
from orz_bench.results.scaling.drawn import (
    Outcome,
    adaptive,
    early_stopping,
    is_exact,
    orders_of,
    plain_majority,
    short_m,
    shortest_majority,
    value_majority,
)
from orz_bench.results.scaling.exact import best_at_k, majority_at_k
from orz_bench.results.scaling.question import AnsweredQuestion, Array
from orz_bench.results.statistics import pass_at_k

ClosedForm = Callable[[AnsweredQuestion, int], float]
Drawn = Callable[..., Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. Either `closed_form` gives its accuracy, or `drawn` its outcome for every order."""

    name: str
    what: str
    source: str = ""
    closed_form: ClosedForm | None = None
    drawn: Drawn | None = None
    needs_values: bool = False
    votes: bool = True
    """It compares the texts of answers, which some imported files lack."""
    is_oracle: bool = False
    """It knows which answer is right: a bound for all others, not a choice."""


@dataclass(frozen=True, slots=True)
class Estimates:
    """Of one question: accuracy and tokens for each k."""

    accuracy: Array
    length: Array


def _best(assessment: Assessment) -> ClosedForm:
    return lambda question, k: best_at_k(question, question.values[assessment], k=k)


_ALL = (
    Rule(
        name="pass",
        what="a right answer is among k: a bound, because it takes knowing which is right",
        source="pass@k, Chen et al., arXiv 2107.03374",
        closed_form=lambda question, k: pass_at_k(question.n, int(question.is_right.sum()), k=k),
        votes=False,
        is_oracle=True,
    ),
    Rule(
        name="majority",
        what="the most frequent answer of k",
        source="self-consistency, Wang et al., arXiv 2203.11171",
        closed_form=lambda question, k: majority_at_k(question, k=k),
    ),
    Rule(
        name="early-stopping",
        what="majority, stopped when the 5 answers of a window agree",
        source="ESC, Li et al., arXiv 2401.10480",
        drawn=early_stopping,
    ),
    Rule(
        name="adaptive",
        what="majority, stopped when the first answer leads with 95 %",
        source="Aggarwal et al., arXiv 2305.11860",
        drawn=adaptive,
    ),
    Rule(
        name="shortest-majority",
        what="the answer with the greatest votes / log(mean length)",
        source="Zeng et al., arXiv 2502.12215, equation 1",
        drawn=shortest_majority,
    ),
    Rule(
        name="short-3",
        what="majority of the 3 shortest; the others stop then",
        source="short-m@k, Hassid et al., arXiv 2505.17813",
        drawn=short_m,
    ),
    Rule(
        name="value-majority",
        what="the answer with the greatest sum of final values",
        source="weighted voting, Li et al., arXiv 2206.02336",
        drawn=value_majority,
        needs_values=True,
    ),
    Rule(
        name="best-final",
        what="the answer with the highest final value",
        source="best of k, Cobbe et al., arXiv 2110.14168",
        closed_form=_best("final"),
        needs_values=True,
        votes=False,
    ),
    Rule(
        name="best-minimum",
        what="the answer with the highest minimum of its values",
        source="Lightman et al., arXiv 2305.20050",
        closed_form=_best("minimum"),
        needs_values=True,
        votes=False,
    ),
    Rule(
        name="best-mean",
        what="the answer with the highest mean of its values",
        closed_form=_best("mean"),
        needs_values=True,
        votes=False,
    ),
)
RULES: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ALL})


def get_rule(name: str) -> Rule:
    """The rule of that name. ConfigError for an unknown one."""
    if name not in RULES:
        raise ConfigError(f"rule {name!r} is unknown{nearest(name, list(RULES))}; there are {', '.join(RULES)}.")
    return RULES[name]


@dataclass(frozen=True, slots=True)
class Draws:
    """What the rules without a closed form share for one question: orders, and the majority's outcome in them."""

    orders: Array
    plain: tuple[Outcome, ...]
    """The majority in these orders, for each k."""
    majorities: Array
    """Its mean over all subsets, for each k."""

    @classmethod
    def of(cls, question: AnsweredQuestion, ks: Sequence[int]) -> Draws:
        """ConfigError for a k above the number of samples."""
        majorities = np.array([majority_at_k(question, k=k) for k in ks])
        orders = orders_of(question)
        return cls(orders, tuple(plain_majority(question, orders, k=k) for k in ks), majorities)


def estimates(rule: Rule, question: AnsweredQuestion, *, ks: Sequence[int], draws: Draws | None = None) -> Estimates:
    """The mean over all subsets (or orders) of each size. ConfigError for a k above the number of samples.

    Where only some orders are drawn, it is the majority's mean over all subsets and the mean difference from the
    majority of the same orders (a control variate): exact where the two agree. `draws`: Draws.of(question, ks), where
    it is at hand.
    """
    mean = float(question.lengths.mean())
    lengths = np.array([k * mean for k in ks])
    if rule.closed_form is not None:
        return Estimates(np.array([rule.closed_form(question, k) for k in ks]), lengths)
    draws = draws or Draws.of(question, ks)
    pairs = [
        (_outcome(rule, question, orders=draws.orders, k=k), plain) for k, plain in zip(ks, draws.plain, strict=True)
    ]
    return Estimates(
        draws.majorities + [float((own.accuracy - plain.accuracy).mean()) for own, plain in pairs],
        lengths + [float((own.lengths - plain.lengths).mean()) for own, plain in pairs],
    )


def _outcome(rule: Rule, question: AnsweredQuestion, *, orders: Array, k: int) -> Outcome:
    assert rule.drawn is not None
    return rule.drawn(question, orders, k=k)


def is_enumerated(rule: Rule, n: int) -> bool:
    """Whether its estimate is the exact mean over all subsets of n samples."""
    return rule.closed_form is not None or is_exact(n)
