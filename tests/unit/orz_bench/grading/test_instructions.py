"""Instructions: stripping, checks, and hostile texts, which end only their own check."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from orz_bench.extraction.thoughts import said
from orz_bench.grading.grader import Grader, Submission, grader_version
from orz_bench.records.rollout import Grade
from tests.support.builders import a_problem

NO_COMMA: tuple[str, dict[str, Any]] = ("punctuation:no_comma", {})
TWO_SENTENCES = ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": 2})
LOWER: tuple[str, dict[str, Any]] = ("change_case:english_lowercase", {})
BRACKETS = ("detectable_content:number_placeholders", {"num_placeholders": 1})


def gold(*checks: tuple[str, dict[str, Any]]) -> str:
    return json.dumps([{"id": name, "arguments": arguments} for name, arguments in checks])


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(extractor="final", num_workers=2, deadline_s=1.0) as one:
        yield one


def graded(grader: Grader, response: str, *checks: tuple[str, dict[str, Any]]) -> Grade:
    submission = Submission(gold=gold(*checks), kind="instruction", num_choices=0, response=response)
    (grade,) = grader.grade([submission])
    return grade


@pytest.mark.parametrize(
    ("response", "left"),
    [
        ("plain text", "plain text"),
        ("a, b\n</think> the answer", "the answer"),
        ("Enough. </think> The answer", "The answer"),
        ("<think> a </think> b\n</think> c", "c"),
        ("x </think> <answer> this </answer>", "this"),
        ("First this.\n<answer>\nthis\n</answer>", "this"),
        ("<answer>one</answer></answer>", "one"),
        ("<answer> cut off", "cut off"),
        ("<think> cut off", None),
        ("thoughts\n</think>  ", None),
        ("", None),
        ("<answer> </answer>", None),
    ],
)
def test_thoughts_and_answer_tags_are_not_part_of_the_answer(response: str, left: str | None) -> None:
    assert said(response) == left


@pytest.mark.parametrize(
    "response",
    [
        "In HTML the tag <think> is unknown.",
        "The tag </think> ends a thought; `</think>` in code.",
        "Write <think>a guess</think> first.",
        'Write "</think>". Then the answer.',
        "Wrap it as <answer>42</answer> in XML. Any questions?",
        "<answer>one</answer> or <answer>two</answer>",
        "It ends with <answer>42</answer>",
        "For example:\n```\n<think>\na\n</think>\n<answer>b</answer>\n```\nThat is all.",
        "```xml\n<answer>\n1\n</answer>\n```",
        "Three tags:\n<think>\nx\n</think>\nThat is all.",
        "Use <answer> and </answer>.",
    ],
)
def test_tags_that_a_response_speaks_of_are_part_of_it(response: str) -> None:
    assert said(response) == response


def test_every_instruction_is_checked_and_all_of_them_decide(grader: Grader) -> None:
    right = graded(grader, "One thing. Another thing.", NO_COMMA, TWO_SENTENCES)
    assert (right.verdict, right.why) == ("correct", "2 of 2 instructions followed")
    half = graded(grader, "One thing, another thing.", NO_COMMA, TWO_SENTENCES)
    assert (half.verdict, half.why) == ("wrong", "0 of 2 instructions followed")
    assert half.extra == {
        "instructions": [
            {"id": "punctuation:no_comma", "strict": False, "loose": False},
            {"id": "length_constraints:number_sentences", "strict": False, "loose": False},
        ]
    }


def test_loosely_the_first_and_last_lines_may_be_chatter(grader: Grader) -> None:
    grade = graded(grader, "Sure, here it is:\nno commas here", NO_COMMA)
    assert (grade.verdict, grade.why) == ("wrong", "0 of 1 instruction followed (1 loosely)")
    assert grade.extra["instructions"][0] == {"id": "punctuation:no_comma", "strict": False, "loose": True}


def test_sentences_are_split_as_by_nltk_and_not_at_every_full_stop(grader: Grader) -> None:
    assert graded(grader, "Mr. Smith of the U.S. met Dr. Jones.", TWO_SENTENCES).verdict == "wrong"
    assert graded(grader, "Mr. Smith met Dr. Jones. They talked.", TWO_SENTENCES).verdict == "correct"


def test_thoughts_count_only_if_nothing_is_stripped(grader: Grader) -> None:
    grade = graded(grader, "first, second </think> <answer> fine </answer>", NO_COMMA)
    assert (grade.verdict, grade.extracted) == ("correct", "fine")
    assert (grade.second_extractor, grade.second_verdict) == ("whole", "wrong")


def test_no_answer_follows_nothing(grader: Grader) -> None:
    grade = graded(grader, "<think> never mind", NO_COMMA, LOWER)
    assert (grade.verdict, grade.extracted) == ("no_answer", None)
    assert [(one["strict"], one["loose"]) for one in grade.extra["instructions"]] == [(False, False)] * 2


def test_what_is_random_in_the_checks_is_the_same_every_time(grader: Grader) -> None:
    """langdetect guesses a language with random numbers; the checks replace an invalid letter by a random one."""
    odd = ("keywords:letter_frequency", {"letter": "!", "let_frequency": 3, "let_relation": "at least"})
    texts = ["pas de deux en plein air", "hallo welt", "eins two trois"] * 2
    with Grader(extractor="final", num_workers=2) as other:
        for text in texts:
            first, again = graded(grader, text, LOWER, odd), graded(other, text, LOWER, odd)
            assert first.extra == again.extra


def test_a_text_on_which_a_check_backtracks_is_given_up(grader: Grader) -> None:
    """`\\[.*?\\]` looks for its end from every bracket: quadratic in their number."""
    grade = graded(grader, "[" * 300_000, BRACKETS, NO_COMMA)
    assert grade.verdict == "timeout"
    assert [one["strict"] for one in grade.extra["instructions"]] == [False, False], "and counts as not followed"
    assert graded(grader, "[name] and more", BRACKETS).verdict == "correct", "the next answer is checked"


def test_unknown_instructions_are_broken_golds(grader: Grader) -> None:
    problems = [
        a_problem(problem_id="right", kind="instruction", gold=gold(NO_COMMA, TWO_SENTENCES)),
        a_problem(problem_id="unknown", kind="instruction", gold=gold(("punctuation:no_vowels", {}))),
        a_problem(problem_id="argument", kind="instruction", gold=gold(("punctuation:no_comma", {"colour": "red"}))),
    ]
    faults = {fault.problem_id: fault.why for fault in grader.check_golds(problems)}
    assert list(faults) == ["unknown", "argument"]
    assert "no instruction 'punctuation:no_vowels'" in faults["unknown"]


def test_the_version_names_what_decides() -> None:
    assert "langdetect" in grader_version("instruction")
    assert "lm_eval 0.4.13" in grader_version("instruction")
    assert "math-verify" in grader_version("choice")
    assert "missing" not in grader_version("instruction")
