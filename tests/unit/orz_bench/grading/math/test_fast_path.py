"""The fast path answers only if the verdict is certain."""

from __future__ import annotations

from fractions import Fraction

import pytest

from orz_bench.grading.math.fast_path import plain_number, quick_reply
from orz_bench.grading.surface.constants import read_constant


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("42", "42"),
        ("73", "073"),
        (r"\frac{1}{2}", "0.5"),
        (r"\left( 5, \frac{\pi}{7} \right)", r"(5,\dfrac{\pi}{7})"),
        ("-5", "\u22125"),
        (r"(-\infty, 4) \cup (7, \infty)", "(-inf, 4) U (7, inf)"),
        (r"(-\sqrt{7}, \sqrt{7})", "(-sqrt(7), sqrt(7))"),
        ("9", r"9\%"),
        ("1,2", "2,1"),
        (r"\frac12", "0.5"),
        ("0.50", ".5"),
    ],
)
def test_the_same(gold: str, answer: str) -> None:
    reply = quick_reply(gold, answer)
    assert reply is not None
    assert reply.verdict == "correct"


@pytest.mark.parametrize(
    ("gold", "answer"), [("42", "43"), (r"\frac{1}{2}", "0.4"), (r"2\sqrt{3}", "2"), ("12", r"12\pi")]
)
def test_surely_different(gold: str, answer: str) -> None:
    reply = quick_reply(gold, answer)
    assert reply is not None
    assert reply.verdict == "wrong"


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x+1", "1+x"),
        ("0.333333", r"\frac{1}{3}"),
        ("11", "1011_2"),
        ("x+1,2", "2,1+x"),
    ],
)
def test_uncertain_goes_to_the_workers(gold: str, answer: str) -> None:
    assert quick_reply(gold, answer) is None


def test_plain_numbers() -> None:
    assert plain_number("073") == 73
    assert plain_number(r"-\frac{6}{4}") == Fraction(-3, 2)
    assert plain_number(r"\frac{1}{0}") is None
    assert plain_number("1e5") is None


@pytest.mark.parametrize("text", [r"2 \frac{1}{2}", "x", "1/2", "2^{2^{9}}", "((((", r"\sqrt{-1}", "9" * 300])
def test_constants_with_more_than_one_reading_are_left_alone(text: str) -> None:
    assert read_constant(text) is None
