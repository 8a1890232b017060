"""What a rule-based reward can check."""

from __future__ import annotations

from pathlib import Path

import pytest

from orz_rl.curation.settings import VerifySettings
from orz_rl.curation.stages.verify import Verify, asks_for_proof, multiple_choice
from tests.support.curation_rows import a_row, reasons, rows_of


@pytest.mark.parametrize(
    "question",
    [
        "What is 1 + 1? (A) 1 (B) 2 (C) 3",
        r"What is it? $\textbf{(A)}\ 1 \qquad \textbf{(B)}\ 2 \qquad \textbf{(C)}\ 3$",
        "Which one?\nA. red\nB. green\nC. blue\nD. none",
        "Which one? A) 1 B) 2 C) 3 D) 4",
    ],
)
def test_options_are_seen(question: str) -> None:
    assert multiple_choice(a_row(question, "2"))


@pytest.mark.parametrize(
    "question",
    [
        "Points A, B and C lie on a line. Find AB.",
        "Let f(A) = 1, f(B) = 2 and f(C) = 3. What is f(A) + f(B)?",
        "Triangle ABC has angle A. Find B.",
        "In the expansion of (a + b)(c + d), what is the coefficient of ac?",
        '[asy] label("(A)", A); label("(B)", B); label("(C)", C); [/asy] What is the area?',
    ],
)
def test_points_and_functions_are_no_options(question: str) -> None:
    assert multiple_choice(a_row(question, "2")) == ""


def test_a_column_of_options_is_multiple_choice() -> None:
    assert multiple_choice(a_row(extra={"choices": True})) == "column choices"
    assert multiple_choice(a_row("Which is right? Enter the letter of the correct one.", "B"))
    assert multiple_choice(a_row("How many letters has the word? Write the number of letters.", "4")) == ""


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Prove that there are infinitely many primes.", "infinitely many"),
        ("Let $n$ be even. Show that $n^2$ is divisible by 4.", "4"),
        ("Prove that $a + b = 7$ for all such pairs.", "7 "),
        ("(a) Let x > 0. Demonstrate that x + 1/x is at least 2.", "2"),
    ],
)
def test_proofs_are_seen(question: str, answer: str) -> None:
    assert asks_for_proof(question, answer)


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Find all n such that n^2 = 4, and prove that there are no others.", "-2, 2"),
        ("It can be shown that the limit exists. What is it?", "1"),
        ("Show that the limit exists and find it.", "1"),
        ("A detective proves that he is right in 3 days. How many hours is that?", "72"),
    ],
)
def test_a_proof_on_the_way_is_none(question: str, answer: str) -> None:
    assert asks_for_proof(question, answer) == ""


def test_golds_have_to_pass_the_grader(tmp_path: Path) -> None:
    rows = rows_of([("What?", "2"), ("What?", r"\frac{1}{"), ("What?", "x" * 300), ("Prove that 1 < 2.", "true")])
    assert reasons(Verify(VerifySettings()), rows, tmp_path) == ["", "gold_not_gradable", "answer_too_long", "proof"]
    lenient = VerifySettings(multiple_choice=False, proofs=False, max_answer_chars=1000, self_check=False)
    assert reasons(Verify(lenient), rows, tmp_path) == ["", "", "", ""]
