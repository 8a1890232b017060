"""Reasons to take an acceptance back: pure functions on sympy values, checked case by case."""

from __future__ import annotations

import pytest
from sympy import Eq, Float, Ge, Gt, Interval, Le, Lt, Matrix, Rational, Symbol, Tuple, oo, pi, sqrt
from sympy import FiniteSet as Set

from orz_bench.grading.math.reading import Value
from orz_bench.grading.math.strict import relations_differ, values_differ

x, y = Symbol("x"), Symbol("y")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Rational(1, 2), Rational(2, 3)),
        (Rational(1, 10**12), Rational(1, 10**13)),
        (sqrt(2), Float("1.5")),
        (Tuple(1, 2), Tuple(2, 1)),
        (Set(1, 2), Set(1, 3)),
        (Interval(0, 1), Interval(0, 2)),
        (Matrix([[1, 2]]), Matrix([[1, 3]])),
        (x**2 + 1, x**2 + 2),
    ],
)
def test_values_that_differ(gold: Value, answer: Value) -> None:
    assert values_differ(gold, answer) is not None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Rational(1, 3), Float("0.333333")),
        (sqrt(12), 2 * sqrt(3)),
        (Set(1, 2), Set(2, 1)),
        ((x + 1) ** 2, x**2 + 2 * x + 1),
        (pi, Float("3.14159")),
        (Interval(-oo, 1), Interval(-oo, 1)),
        (Tuple(1, 2), Tuple(1, 2, 3)),
        (x, Rational(1)),
    ],
)
def test_values_of_which_nothing_is_proved(gold: Value, answer: Value) -> None:
    assert values_differ(gold, answer) is None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Gt(x, 3), Lt(x, 3)),
        (Eq(3 * x - y + 13, 0), Eq(3 * x + 4 * y + 14, 0)),
        (Ge(x, 2), Le(x, 2)),
        (Eq(x, 2), Eq(y, 2)),
        (Rational(4), Eq(x + y, 0)),
    ],
)
def test_relations_that_differ(gold: Value, answer: Value) -> None:
    assert relations_differ(gold, answer) is not None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Gt(x, 3), Lt(-x, -3)),
        (Eq(x + y, 1), Eq(2 * x + 2 * y, 2)),
        (Rational(4), Eq(x, 4)),
        (Gt(2 * x, 6), Gt(x, 3)),
    ],
)
def test_relations_that_agree(gold: Value, answer: Value) -> None:
    assert relations_differ(gold, answer) is None
