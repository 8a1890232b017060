"""Reasons to take an acceptance back: pure functions on sympy values, checked case by case."""

from __future__ import annotations

import pytest
from sympy import (
    Abs,
    E,
    Eq,
    Float,
    Ge,
    Gt,
    I,
    Integer,
    Interval,
    Le,
    Lt,
    Matrix,
    Pow,
    Rational,
    Symbol,
    Tuple,
    cbrt,
    oo,
    pi,
    sqrt,
)
from sympy import FiniteSet as Set

from orz_bench.grading.math.reading import Value, read_latex
from orz_bench.grading.math.strict import are_one_function, relations_differ, values_differ

x, y = Symbol("x"), Symbol("y")


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (Rational(1, 2), Rational(2, 3)),
        (Rational(1, 10**12), Rational(1, 10**13)),
        (sqrt(2), Float("1.5")),
        (Tuple(1, 2), Tuple(2, 1)),
        (Set(1, 2), Set(1, 3)),
        (Set(1, Float("1.0001")), Set(1, 5)),
        (Set(1, 5), Set(1, Float("1.0001"))),
        (Interval(0, 1), Interval(0, 2)),
        (Matrix([[1, 2]]), Matrix([[1, 3]])),
        (x**2 + 1, x**2 + 2),
        (x**2 + 1, Rational(5)),
        (Rational(5), x**2 + 1),
        (x, Symbol("X")),
        (E, Symbol("E")),
        (Float("1e-13"), Integer(0)),
        (Float("1e-13"), Float("2e-13")),
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
        (x, y),
        (E, Symbol("e")),
        (Integer(0), Float("1e-13")),
        (Integer(0), Integer(0)),
        (Float("0.5"), Float("0.5001")),
        (sqrt(x**2 - 2 * x + 1), Abs(x - 1)),
        (Matrix([[1, 2]]), Matrix([[1], [2]])),
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
        (Rational(4), Eq(x, 5)),
        (Integer(0), Eq(x + y, 0)),
        (Gt(x, 3) & Lt(x, 5), Gt(x, 3) & Gt(x, 5)),
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
        (Integer(0), Eq(x, 0)),
        (x + y, Eq(y, x + y)),
        (Gt(2 * x, 6), Gt(x, 3)),
        (Eq(x, 3), Eq(-2 * x, -6)),
        (Gt(x, 3) & Lt(x, 5), Gt(x, 3) & Lt(x, 5)),
        (Gt(x, 3), Rational(3)),
    ],
)
def test_relations_that_agree(gold: Value, answer: Value) -> None:
    assert relations_differ(gold, answer) is None


def test_a_percentage_and_its_number_are_left_to_math_verify() -> None:
    number, percentage = read_latex("9"), read_latex(r"9\%")
    assert number is not None
    assert percentage is not None
    assert values_differ(number, percentage) is None
    assert values_differ(percentage, number) is None


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (sqrt(x * y), sqrt(x) * sqrt(y)),
        (cbrt(x**2), cbrt(-x) ** 2),
        (sqrt(3 + 2 * sqrt(2)), 1 + sqrt(2)),
        (cbrt(-8), Integer(-2)),
        (Pow(-8, Rational(2, 3)), Integer(4)),
        (cbrt(-(x**3)), -cbrt(x**3)),
        (Symbol("i") * sqrt(2), sqrt(-2)),
        (0.5 * x, x / 2),
        (0.5 * I, I / 2),
    ],
)
def test_one_function(gold: Value, answer: Value) -> None:
    assert are_one_function(gold, answer)
    assert are_one_function(answer, gold)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (sqrt(x * y), sqrt(x) + sqrt(y)),
        (sqrt(x**2), -x),
        (cbrt(x**3), (x**6) ** Rational(1, 6)),
        (cbrt(-8), Integer(2)),
        (Pow(-8, Rational(2, 3)), Integer(-4)),
        (sqrt(-(x**2) - 1), sqrt(-(x**2) - 2)),
        (sqrt(2), read_latex(r"\sqrt{2}\%")),
        (Symbol("i") * sqrt(2), Symbol("i") * sqrt(3)),
        (0.5 * x, x / 3),
        (Float("0.5"), Rational(1, 2)),
        (x + 1, 1 + x),
        (Eq(x, 1), x),
    ],
)
def test_what_is_not_known_to_be_one_function(gold: Value, answer: Value) -> None:
    assert not are_one_function(gold, answer)


def test_numbers_of_which_no_digit_is_known_are_no_proof() -> None:
    """5e-121 and 1e-120: both are 0 to as many digits as are computed."""
    tiny, twice = (sqrt(10**240 + n) - 10**120 for n in (1, 2))
    assert not are_one_function(tiny, twice)


def test_values_that_agree_on_one_side_of_a_corner_are_left_to_math_verify() -> None:
    """x is first computed at 1.99 and at 1.75: a difference at one of two points proves nothing."""
    corner = Rational(15, 8)
    assert values_differ(Abs(x - corner), x - corner) is None
    assert values_differ(Abs(x - corner), corner - x) is None
    assert values_differ(x - corner, corner - x) is not None
