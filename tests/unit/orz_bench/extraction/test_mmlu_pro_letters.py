"""MMLU-Pro's rules for letters: the official regular expressions are the reference, and hostile texts take no time."""

from __future__ import annotations

import random
import re

import pytest

from orz_bench.extraction.letters import extract_letter, extract_mmlu_pro
from tests.support.cpu_time import at_most_cpu_seconds


def official(text: str) -> str | None:
    """The three expressions of the official script, unchanged; None if it would guess."""
    for pattern, flags in (
        (r"answer is \(?([A-J])\)?", 0),
        (r".*[aA]nswer:\s*([A-J])", 0),
        (r"\b([A-J])\b(?!.*\b[A-J]\b)", re.DOTALL),
    ):
        if found := re.search(pattern, text, flags):
            return found.group(1)
    return None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("so the answer is (C). The answer is (D).", "C"),
        ("answer is K", None),
        ("Answer: A or Answer: B\nanswer: C", "B"),
        ("Answer:\n\n D", "D"),
        ("I think A, no, rather H", "H"),
        ("ABC", None),
        ("", None),
        ("It is J_", None),
    ],
)
def test_examples(text: str, letter: str | None) -> None:
    assert extract_mmlu_pro(text) == letter == official(text)


def test_it_agrees_with_the_official_expressions() -> None:
    draw = random.Random(1)
    parts = ["answer is ", "(", ")", "A", "J", "K", " ", "\n", "Answer:", "answer: ", "B", "x", ".", "_", "é"]
    for _ in range(5_000):
        text = "".join(draw.choices(parts, k=draw.randrange(1, 14)))
        assert extract_mmlu_pro(text) == official(text), text


@pytest.mark.parametrize("text", ["Answer:" + " " * 50_000, "A " * 50_000, "answer is " * 20_000, "Answer: A" * 20_000])
def test_no_text_takes_long(text: str) -> None:
    with at_most_cpu_seconds(10):
        extract_mmlu_pro(text)


def test_the_names_of_the_rules() -> None:
    text = "A mixture. B"
    assert extract_letter(text, "mmlu-pro", num_choices=4) == "B"
    assert extract_letter(text, "answer-is", num_choices=4) is None
    assert extract_letter("The answer is (G).", "answer-is", num_choices=4) == "G", "as there: wrong, not missing"
    assert extract_letter(" C", "likelihood", num_choices=4) == "C"
    assert extract_letter(" E", "likelihood", num_choices=4) is None
