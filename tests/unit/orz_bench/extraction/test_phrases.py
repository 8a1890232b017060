"""Answers announced in words: in the forms that models write, and never where none is announced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lm_eval.filters.extraction import RegexFilter

from orz_bench.extraction.letters import extract_letter
from orz_bench.extraction.phrases import extract_last_number, extract_phrase, extract_phrase_multilingual
from orz_bench.grading.grader import Grader, Submission
from tests.support.cpu_time import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("16 - 3 - 4 = 9, 9 * 2 = 18. The answer is 18.", "18"),
        ("She makes $18.\n#### 18", "18"),
        ("#### 1,234\n", "1,234"),
        ("The answer is $18.", "$18"),
        ("So the answer is $\\frac{1}{2}$.", "\\frac{1}{2}"),
        ("The answer is \\(x^2+1\\), as wanted.", "x^2+1"),
        ("The answer is $\\$36.50$.", "\\$36.50"),
        ("The answer is $$\\$36.50$$", "\\$36.50"),
        ("The answer is \\$36.50 for $2$ of them.", "\\$36.50 for $2$ of them"),
        ("The answer is: **42**", "42"),
        ("**Answer:** 42", "42"),
        ("Final answer: 3.5 hours", "3.5 hours"),
        ("Final Answer: The final answer is $24$. I hope it is correct.", "24"),
        ("the final answer is 3. I hope it is correct.", "3"),
        ("The answer is 3.14 because pi.", "3.14"),
        ("The answer is 0.333... .", "0.333..."),
        ("The answer is 0.333....", "0.333..."),
        ("The answer is 0.1212...", "0.1212..."),
        ("The answer is 3.14159...", "3.14159"),
        ("The answer is 5... no, the answer is 6...", "6"),
        ("The answer is \\boxed{7}.", "7"),
        ("The answer is $\\boxed{7}$.", "7"),
        ("Therefore, the answer is\n\n12", "12"),
        ("The answer is 5. No wait, the answer is 6.", "6"),
        ("The answer is 5.\n\nQ: another\nA: The answer is", "5"),
        ("The answer to the question is 8; so it goes.", "8"),
        ("<think>The answer is 3.</think>\nThe answer is 4.", "4"),
        ("answer = 12", "12"),
        ("The answer is x = 3, so we are done.", "x = 3"),
        ("Answer: (a, b)", "(a, b)"),
        ("We have no idea what to do here.", None),
        ("The answer is", None),
        ("He answered the door at 5.", None),
        ("", None),
    ],
)
def test_the_answer_that_is_announced(response: str, answer: str | None) -> None:
    assert extract_phrase(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("因此\uff0c答案是 18。", "18"),
        ("所以答案为\uff1a$\\frac{1}{2}$。", "\\frac{1}{2}"),
        ("答案\uff1a42", "42"),
        ("La réponse est 42.", "42"),
        ("La respuesta final es 3,5 metros.", "3,5 metros"),
        ("Die Antwort lautet 7.", "7"),
        ("答えは 12 です。", "12 です"),
        ("Ответ: 9", "9"),
        ("The answer is 5.", "5"),
    ],
)
def test_announcements_in_other_languages_are_an_option(response: str, answer: str) -> None:
    assert extract_phrase_multilingual(response) == answer
    assert (extract_phrase(response) is None) == ("answer" not in response)


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        ("It costs $1,234.", "1234"),
        ("2 and then -7", "-7"),
        ("3.5 hours", "3.5"),
        ("12 ...", "12"),
        ("none", None),
        ("", None),
    ],
)
def test_the_last_number(response: str, answer: str | None) -> None:
    assert extract_last_number(response) == answer


FLEXIBLE = RegexFilter(regex_pattern="(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)


@given(st.text(alphabet="0123456789.,$- aA#\n", max_size=40))
def test_the_last_number_is_what_lm_eval_finds(response: str) -> None:
    """Where lm-eval's match has a digit: it also takes an ellipsis."""
    ((theirs,),) = FLEXIBLE.apply([[response]], [{}])
    if any(char.isdigit() for char in theirs):
        assert extract_last_number(response) == (theirs.replace(",", "").replace("$", "").rstrip(".") or None)
    elif theirs == "[invalid]":
        assert extract_last_number(response) is None


@given(st.text(max_size=200))
def test_any_text_has_an_answer_or_none(response: str) -> None:
    for rule in (extract_phrase, extract_phrase_multilingual, extract_last_number):
        assert rule(response) is None or rule(response)


@pytest.mark.parametrize(
    "piece", ["the answer is ", "#### ", "answer answer ", "$", "-$.,", "答案是", "answer to the question "]
)
def test_long_texts_take_linear_time(piece: str) -> None:
    with at_most_cpu_seconds(3):
        for rule in (extract_phrase, extract_phrase_multilingual, extract_last_number):
            rule(piece * (400_000 // len(piece)))


def test_a_letter_is_announced_too() -> None:
    assert extract_letter("Because of gravity. The answer is (C).", "phrase", num_choices=4) == "C"
    assert extract_letter("因此答案是 B。", "phrase-multilingual", num_choices=4) == "B"
    assert extract_letter("The answer is unclear.", "phrase", num_choices=4) is None


RULES = ("phrase", "last-number", "math-verify")


@pytest.mark.parametrize("rule", RULES)
def test_the_rules_are_extractors_like_any_other(rule: str) -> None:
    responses = {"So it is 17. The answer is 18.": "correct", "So it is 18. The answer is 17.": "wrong"}
    with Grader(extractor=rule, num_workers=1) as grader:
        submissions = [Submission(gold="18", kind="math", num_choices=0, response=text) for text in responses]
        assert [grade.verdict for grade in grader.grade(submissions)] == list(responses.values())
        assert grader.verdicts_under("orz", submissions) == ["no_answer", "no_answer"]
