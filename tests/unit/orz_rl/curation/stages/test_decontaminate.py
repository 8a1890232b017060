"""Overlap with benchmarks: what is dropped, what is listed, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_bench.errors import DataError
from orz_bench.records.rollout import Problem
from orz_rl.curation.benchmark_questions import BenchmarkQuestions, load_questions
from orz_rl.curation.rows import Outcome
from orz_rl.curation.settings import DecontaminateSettings
from orz_rl.curation.stages.decontaminate import Decontaminate
from tests.support.builders import a_problem
from tests.support.curation_rows import decided, rows_of, write_lines

LONG = (
    "A train leaves the station at noon with 40 passengers and stops at each of the 7 towns on its way, where 3 people "
    "get off and 5 people get on. How many passengers does it have when it leaves the last town?"
)
FORMULA = r"Let $f(x)=\frac{1}{2}x^2-3x$ for every real number $x$. What is the least value of $f(x)$ on $0\le x\le 5$?"


def _questions(*texts: str) -> BenchmarkQuestions:
    problems: tuple[Problem, ...] = tuple(
        a_problem(benchmark="bench", problem_id=f"b{number}", question=text, gold="1")
        for number, text in enumerate(texts)
    )
    return BenchmarkQuestions(problems, (("bench", "0" * 64),))


def _decided(questions: BenchmarkQuestions, *texts: str, folder: Path) -> Outcome:
    return decided(Decontaminate(DecontaminateSettings(), questions), rows_of((text, "1") for text in texts), folder)


@pytest.mark.parametrize(
    ("text", "method"),
    [
        (LONG, "exact"),
        (f"  {LONG}\n", "exact"),
        (LONG.upper(), "normalised"),
        (f"Problem 12. {LONG}", "normalised"),
        (FORMULA.replace("$f(x)=", r"\[f(x) = ").replace("3x$", r"3x\]").replace(r"\frac", r"\dfrac"), "normalised"),
        (LONG.replace("get on. How", "get-on; How").replace("noon", "n oon"), "alphanumeric"),
        (f"Read this first. {LONG} Give a whole number.", "ngram"),
        (LONG.replace("A train", "One train").replace("it leaves", "departing"), "ngram"),
    ],
)
def test_the_same_question_is_dropped(text: str, method: str, tmp_path: Path) -> None:
    outcome = _decided(_questions("What is 1 + 1?", LONG, FORMULA), text, folder=tmp_path)
    (fate,), (pair, *_) = outcome.fates, outcome.pairs
    assert fate.reason == "contaminated"
    assert fate.evidence["benchmark"] == "bench"
    assert fate.evidence["method"] == method == pair.method
    assert pair.verdict == "dropped"
    assert (pair.question, pair.other_question) == (text, LONG if fate.evidence["id"] == "b1" else FORMULA)


@pytest.mark.parametrize(
    "text",
    [
        LONG.replace("40", "60"),
        LONG.replace("3 people", "5 people"),
        FORMULA.replace("5$?", "6$?"),
    ],
)
def test_another_number_is_another_question_that_is_listed(text: str, tmp_path: Path) -> None:
    outcome = _decided(_questions(LONG, FORMULA), text, folder=tmp_path)
    assert [fate.reason for fate in outcome.fates] == [""]
    assert [pair.verdict for pair in outcome.pairs] == ["suspect"]


def test_other_questions_are_kept_and_not_listed(tmp_path: Path) -> None:
    outcome = _decided(_questions(LONG, FORMULA), "How many passengers are there?", "What is $f(x)$?", folder=tmp_path)
    assert [fate.reason for fate in outcome.fates] == ["", ""]
    assert outcome.pairs == []


def test_a_short_question_in_a_longer_one_is_listed(tmp_path: Path) -> None:
    outcome = _decided(_questions("What is 7 + 5 + 2 + 3?"), "What is 7 + 5 + 2 + 3 + 1?", folder=tmp_path)
    assert [fate.reason for fate in outcome.fates] == [""]
    assert [pair.verdict for pair in outcome.pairs] == ["suspect"]
    outcome = _decided(_questions("What is 7 + 5 + 2 + 3?"), "Tell me: what is 7 + 5 + 2 + 3, please?", folder=tmp_path)
    assert [fate.reason for fate in outcome.fates] == ["contaminated"]


def test_every_benchmark_that_has_the_question_is_named(tmp_path: Path) -> None:
    outcome = _decided(_questions(LONG, LONG), LONG, folder=tmp_path)
    assert outcome.fates[0].evidence["also"] == ["bench:b1"]
    assert len(outcome.pairs) == 2


def test_a_question_without_numbers_needs_nearly_all_of_it(tmp_path: Path) -> None:
    question = "In how many different orders could a child lay out every one of the wooden letters that spell TEAPOT?"
    outcome = _decided(_questions(question), question.replace("TEAPOT", "KETTLE"), question, folder=tmp_path)
    assert [fate.reason for fate in outcome.fates] == ["", "contaminated"]


def test_a_benchmark_that_cannot_be_read_is_an_error_that_names_all(tmp_path: Path) -> None:
    for name in ("aime2024", "aime2025"):
        write_lines(tmp_path / f"{name}.jsonl", [{"id": "1", "problem": "What is 1 + 1?", "answer": "2"}])
    with pytest.raises(DataError, match="2 benchmarks cannot be read") as caught:
        load_questions(["aime24", "arithmetic", "aime25"], [tmp_path])
    assert "- aime24:" in str(caught.value)
    assert "- aime25:" in str(caught.value)
    assert "arithmetic" not in str(caught.value)


def test_questions_of_generated_benchmarks_need_no_file(tmp_path: Path) -> None:
    found = load_questions(["arithmetic", "arithmetic"], [tmp_path])
    assert [name for name, _ in found.hashes] == ["arithmetic"]
    assert len(found.problems) == 100
