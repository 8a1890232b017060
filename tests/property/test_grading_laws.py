"""Laws of extraction and grading, on many made-up responses."""

from __future__ import annotations

import re
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from orz_bench.extraction.answers import extract_boxed, extract_final, extract_orz, orz_capture
from orz_bench.extraction.letters import extract_letter
from orz_bench.grading.math.fast_path import plain_number, quick_reply
from orz_bench.grading.surface.text_key import text_key

PIECES = [
    "<answer>",
    "</answer>",
    "\\boxed{",
    "{",
    "}",
    "1",
    "x",
    "\n",
    " ",
    "\\frac{1}{2}",
    "<think>",
    "\\}",
    "\\",
    "\\boxed ",
    "\\fbox{",
]
responses = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
numbers = st.fractions(min_value=-999, max_value=999, max_denominator=999)

_REFERENCE = re.compile(r"<answer>.*?(\\boxed{.*}).*?</answer>", re.DOTALL)


@given(responses)
def test_the_capture_is_the_references_regex(response: str) -> None:
    found = _REFERENCE.findall(response)
    assert orz_capture(response) == (found[-1] if found else None)


@given(responses)
def test_extractors_return_a_piece_of_the_response_or_none(response: str) -> None:
    for extract in (extract_orz, extract_boxed, extract_final):
        answer = extract(response)
        assert answer is None or (answer in response and answer == answer.strip() != "")


@given(responses, responses, st.sampled_from(["", "<think>"]))
def test_a_thought_changes_no_answer(thought: str, rest: str, opening: str) -> None:
    response = f"{opening}{thought}</think>{rest}"
    for extract in (extract_boxed, extract_final):
        assert extract(response) == extract(f"<think></think>{rest}")
    for extractor in ("boxed", "final"):
        letters = [extract_letter(text, extractor, num_choices=4) for text in (response, f"<think></think>{rest}")]
        assert letters[0] == letters[1]


@given(responses)
def test_an_unclosed_thought_has_no_answer(thought: str) -> None:
    assert extract_final(f"<think>{thought}") is None
    assert extract_letter(f"<think>Answer: A {thought}", "final", num_choices=4) is None


@given(responses)
def test_a_letter_is_one_of_the_options(response: str) -> None:
    assert extract_letter(response, "final", num_choices=4) in (None, "A", "B", "C", "D")


@given(numbers, numbers)
def test_the_fast_path_agrees_with_arithmetic(gold: Fraction, answer: Fraction) -> None:
    reply = quick_reply(_latex(gold), _latex(answer))
    if reply is not None:
        assert (reply.verdict == "correct") == (gold == answer)


@given(numbers)
def test_numbers_are_read_back(number: Fraction) -> None:
    read = plain_number(_latex(number))
    assert read is None or read == number


@given(st.sampled_from([r"\frac{1}{2}", "x + 1", r"\left(1, 2\right)", "3,4"]), st.sampled_from([" ", "\\,", "\\ "]))
def test_spacing_does_not_change_the_key(text: str, space: str) -> None:
    assert text_key(f"{space}{text}{space}") == text_key(text)


def _latex(number: Fraction) -> str:
    if number.denominator == 1:
        return str(number.numerator)
    return f"{'-' if number < 0 else ''}\\frac{{{abs(number.numerator)}}}{{{number.denominator}}}"
