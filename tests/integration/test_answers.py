"""Verdicts on answers that others and we made up: a sample of `make conformance`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from orz_bench.extraction.rules import EXTRACTORS
from orz_bench.grading.grader import Grader, Submission
from tests.conformance.checks import (
    Row,
    case_rows,
    constants_of_two_golds,
    corpus_rows,
    dress_rows,
    failures,
    hedge_rows,
    made_up_golds,
    real_golds,
)
from tests.support.shared_data import shared_data

Check = Callable[..., list[Row]]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    """Takes an answer as it is."""
    with Grader(extractor="whole") as grader:
        yield grader


def said_otherwise(rows: list[Row], grader: Grader) -> list[tuple[str, str, str, str]]:
    return [(row.kind, row.gold, row.answer, grade.why) for row, grade in failures(rows, grader)]


def test_every_answer_of_the_corpus_is_judged_as_labelled(grader: Grader) -> None:
    assert said_otherwise(corpus_rows(), grader) == []


def test_every_gold_is_right_in_every_dress_and_wrong_with_one_element_changed(grader: Grader) -> None:
    assert said_otherwise(dress_rows(made_up_golds(), source="made up"), grader) == []


def test_no_gold_is_right_inside_a_hedge(grader: Grader) -> None:
    assert said_otherwise(hedge_rows(made_up_golds()[::3], source="made up"), grader) == []


def test_no_constant_answer_is_right_for_two_golds_that_differ(grader: Grader) -> None:
    assert constants_of_two_golds(made_up_golds()[::12], grader) == {}


@pytest.mark.parametrize("check", [dress_rows, hedge_rows])
def test_real_golds(check: Check, grader: Grader) -> None:
    """Every thirtieth gold of MATH500, Minerva, OlympiadBench and AIME."""
    golds = sorted({gold for found in real_golds(shared_data()).values() for gold in found})[::30]
    assert said_otherwise(check(golds, source="real"), grader) == []


def test_labelled_cases_of_mathematics_are_judged_as_labelled() -> None:
    """Every fifth that has a box and no tags; in full, and with letters and instructions, by `make conformance`."""
    rows = [row for row in case_rows(shared_data()) if row.is_certain and row.benchmark == "math500"]
    rows = [row for row in rows if "\\boxed{" in row.answer and "<" not in row.answer][::5]
    with Grader(extractor="final") as grader:
        failed = failures(rows, grader)
    assert len(failed) <= 0.03 * len(rows), [(row.row_id, grade.why) for row, grade in failed]


SAID = {
    "orz": "so <answer> \\boxed{%s} </answer>",
    "boxed": "so \\boxed{%s}",
    "final": "so \\boxed{%s}",
    "whole": "%s",
    "phrase": "so the answer is $%s$.",
    "phrase-multilingual": "所以答案是 $%s$。",
    "last-number": "so %s",
    "math-verify": "so we take\n\\[\n\\boxed{%s}\n\\]",
}
"""A response that states its answer in the way that the rule reads."""


@pytest.mark.parametrize("rule", EXTRACTORS)
def test_every_rule_accepts_every_gold_that_it_can_read(rule: str) -> None:
    """As a response states it: golds have no delimiters, and a rule must not expect them."""
    golds = [gold for gold in made_up_golds() if rule != "last-number" or gold.replace(".", "").isdigit()]
    with Grader(extractor=rule) as grader:
        grades = grader.grade(
            [Submission(gold=gold, kind="math", num_choices=0, response=SAID[rule] % gold) for gold in golds]
        )
    assert [(gold, grade.why) for gold, grade in zip(golds, grades, strict=True) if not grade.is_correct] == []


def test_the_librarys_own_reading_is_that_of_the_published_loop() -> None:
    """Differential, on published outputs: `verify(parse(f"${gold}$"), parse(response))`, as others grade with it."""
    from math_verify import parse, verify

    text = (shared_data() / "foreign" / "qwen25math_math500_14b.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.rstrip("\n").split("\n")][::3]
    plain = [bool(verify(parse(f"${row['gt']}$"), parse(row["code"][0]))) for row in rows]
    for strict in (True, False):
        with Grader(extractor="math-verify", strict=strict) as grader:
            grades = grader.grade(
                [Submission(gold=row["gt"], kind="math", num_choices=0, response=row["code"][0]) for row in rows]
            )
        assert [grade.is_correct for grade in grades] == plain
    assert 100 < sum(plain) < len(plain)


def test_what_the_fast_path_decides_of_numbers_is_what_the_parser_decides() -> None:
    """Differential: every pair of constants that it decides, against Math-Verify within the strict checks alone."""
    from math_verify import verify

    from orz_bench.grading.math.fast_path import known_outcome
    from orz_bench.grading.math.reading import read_latex
    from orz_bench.grading.math.strict import values_differ

    constants = [
        "42",
        "42.0",
        "-7",
        "0",
        "0.5",
        r"\frac{1}{2}",
        r"-\frac{24}{25}",
        r"\sqrt{2}",
        r"2\sqrt{13}",
        r"\frac{\pi}{6}",
    ]
    constants += [
        r"12\pi",
        r"\frac{1+\sqrt{5}}{2}",
        r"(11+\frac{1}{2})",
        "11.5",
        r"2 \cdot 10^{3}",
        "2000",
        r"\sqrt[3]{8}",
        "x",
        "N",
        "n",
    ]
    num_decided = 0
    for gold in constants:
        for answer in constants:
            outcome = known_outcome(gold, answer)
            if outcome is None:
                continue
            one, other = read_latex(gold), read_latex(answer)
            assert one is not None
            assert other is not None
            slow = values_differ(one, other) is None and verify(one, other, timeout_seconds=None)
            assert outcome.is_equal == slow, (gold, answer)
            num_decided += 1
    assert num_decided > 200
