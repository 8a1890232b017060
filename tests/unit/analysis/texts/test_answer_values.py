"""Comparing answers cheaply: certain where it can be, silent elsewhere."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.texts.answer_values import read_answer, same_answer


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("12.", 12), ("-3", -3), ("−3", -3), ("+3", 3), (".5", Fraction(1, 2)), ("2.50", Fraction(5, 2)),
        ("1,234", 1234), ("1{,}234", 1234), ("10,\\!080", 10080), ("$12$", 12), ("\\(12\\)", 12), ("{12}", 12),
        ("3/4", Fraction(3, 4)), ("\\frac{3}{4}", Fraction(3, 4)), ("-\\dfrac34", Fraction(-3, 4)),
        ("\\frac{-3}{4}", Fraction(-3, 4)), ("-\\frac{-3}{4}", Fraction(3, 4)), ("50\\%", 50), ("30^\\circ", 30),
        ("(B)", "B"), ("\\text{(C)}", "C"), ("d", "d"), ("x^2", "x^2"), ("\\left( 3, x \\right)", "(3,x)"),
        ("1/0", "1/0"), ("", ""), ("1,23", "1,23"), ("1" * 60, "1" * 60),
    ],
)  # fmt: skip
def test_reading(text: str, value: object) -> None:
    assert read_answer(text) == value


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1/2", "0.5", True),
        ("12", "13", False),
        ("A", "(A)", True),
        ("A", "B", False),
        ("x + 1", "x+1", True),
        ("x+1", "1+x", None),
        ("\\sqrt{4}", "2", None),
        ("", "", None),
    ],
)
def test_equality(one: str, other: str, same: bool | None) -> None:
    assert same_answer(one, other) is same
    assert same_answer(other, one) is same


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
def test_numbers_are_compared_by_value(one: Fraction, other: Fraction) -> None:
    assert same_answer(f"{one}", f"\\frac{{{other.numerator}}}{{{other.denominator}}}") is (one == other)


def test_long_answers_are_compared_to_their_end() -> None:
    matrix = "1 & 2 \\\\ " * 100
    assert same_answer(matrix + "3", matrix + "3") is True
    assert same_answer(matrix + "3", matrix + "4") is None


@given(st.text(max_size=50))
def test_any_text_can_be_read(text: str) -> None:
    read_answer(text)
