"""Letters: chosen ones, and ones only mentioned."""

from __future__ import annotations

import pytest

from orz_bench.errors import ConfigError
from orz_bench.extraction.letters import extract_letter, letter_of
from orz_bench.grading.grader import Grader, Submission


@pytest.mark.parametrize(
    "text", ["D", "(D)", "D.", "D)", " D ", r"\text{D}", r"\textbf{(D)}", "D. 5 m/s", "(D) 5 m/s", "$D$", r"\mathrm{D}"]
)
def test_forms_of_a_letter(text: str) -> None:
    assert letter_of(text, 4) == "D"


@pytest.mark.parametrize("text", ["E", "AB", "A or B", "Deuterium", "", "5", r"\text{none}"])
def test_no_letter(text: str) -> None:
    assert letter_of(text, 4) is None


def test_a_fifth_option_counts_if_there_is_one() -> None:
    assert letter_of("E", 5) == "E"


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        (r"A looks right. But \boxed{C}", "C"),
        (r"\boxed{C} since \boxed{3.2}", "C"),
        ("Answer: B", "B"),
        ("The ANSWER: $(b)$", "B"),
        ("Answer: Because of that", None),
        ("It is not A. The last capital is D", None),
        (r"<answer> \boxed{A} </answer> and \boxed{B}", "A"),
        ("<answer> (B) </answer>", "B"),
    ],
)
def test_final(response: str, letter: str | None) -> None:
    assert extract_letter(response, "final", num_choices=4) == letter


def test_orz_wants_its_tags() -> None:
    assert extract_letter(r"\boxed{A}", "orz", num_choices=4) is None
    assert extract_letter(r"<answer> \boxed{A} </answer>", "orz", num_choices=4) == "A"


def test_a_letter_is_found_in_texts_up_to_a_length() -> None:
    """A box and a short text: 2,000 characters; a response that is one line: 300."""
    for length, letter in ((2000, "C"), (2001, None)):
        text = "C. ".ljust(length, "x")
        assert letter_of(text, 4) == letter
        assert extract_letter(f"\\boxed{{{text}}}", "boxed", num_choices=4) == letter
    for length, letter in ((300, "C"), (301, None)):
        assert extract_letter("C. ".ljust(length, "x"), "boxed", num_choices=4) == letter


@pytest.mark.parametrize("extractor", ["last-number", "math-verify", "fence", "lcb"])
def test_a_rule_that_reads_no_letters_is_refused(extractor: str) -> None:
    """Another rule would be taken for it, and the score be said to be its."""
    submission = Submission(gold="C", kind="choice", num_choices=4, response="The answer is (C).")
    with (
        Grader(extractor=extractor) as grader,
        pytest.raises(ConfigError, match=f"'{extractor}' does not read letters"),
    ):
        grader.grade([submission])
