"""Sets built from others, named points, plurals, powers and lists as programs type them, through the whole grader."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orz_bench.grading.grader import Grader
from orz_bench.grading.judges.judge import Submission

SAME = [
    (r"\{1,2\}", r"\{1\}\cup\{2\}"),
    (r"\{1,2,3\}", r"\{1,2\} \cup \{2,3\}"),
    (r"\{1,2\}", r"\{1,2,3\}\setminus\{3\}"),
    (r"\{1,2\}", r"\left\{1\right\}\cup\left\{2\right\}"),
    ("P(3,4)", "(3,4)"),
    (r"A_{1}(3,4)", "(3,4)"),
    ("no solution", "no solutions"),
    ("no real roots", "no real root"),
    ("x^{10}", "x^10"),
    ("x^{10}", "x**10"),
    ("x^{12}y^{3}", "x**12*y**3"),
    (r"\frac{x^{10}}{2}", r"\frac{1}{2}*x**10"),
    ("x^{-2}", "x**-2"),
    ("2^{0.5}", "2**0.5"),
    ("9X^{10}+C", "9*X**10 + C"),
    ("1 0 0 1", "(1, 0, 0, 1)"),
    ("1 0 0 1", "1, 0, 0, 1"),
    ("1 -2", "1  -2"),
]
DIFFERENT = [
    (r"\{1,2,3\}", r"\{1\}\cup\{2\}"),
    (r"\{1,2\}", r"\{1\}\cup\{2\}\cup\{3\}"),
    (r"\{1,2\}", r"\{1\}\cap\{2\}"),
    ("[1,2]", r"\{1\}\cup\{2\}"),
    ("(1,2)", r"\{1\}\cup\{2\}"),
    ("P(3,4)", "(4,3)"),
    ("P(3,4)", "Q(3,4)"),
    ("no solution", "two solutions"),
    ("no real roots", "real roots"),
    ("0*X**10 + C", "9*X**10 + C"),
    ("X**10 + C", "9*X**10 + C"),
    ("x^{10}", "x^{1}"),
    ("1 0 0 1", "1 0 1 0"),
    ("5 0 2", "3 0 2"),
    ("1 2 3", "6"),
    ("1 2 3", "3 2 1"),
]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(extractor="boxed") as opened:
        yield opened


def both_ways(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [*pairs, *((answer, gold) for gold, answer in pairs)]


def verdicts(grader: Grader, pairs: list[tuple[str, str]]) -> list[str]:
    submissions = [
        Submission(gold=gold, kind="math", num_choices=0, response=f"\\boxed{{{answer}}}") for gold, answer in pairs
    ]
    return [grade.verdict for grade in grader.grade(submissions)]


def test_the_same_whichever_of_the_two_is_the_gold(grader: Grader) -> None:
    pairs = both_ways(SAME)
    assert [pair for pair, verdict in zip(pairs, verdicts(grader, pairs), strict=True) if verdict != "correct"] == []


def test_different_whichever_of_the_two_is_the_gold(grader: Grader) -> None:
    pairs = both_ways(DIFFERENT)
    assert [pair for pair, verdict in zip(pairs, verdicts(grader, pairs), strict=True) if verdict == "correct"] == []
