"""Where in a response the answer is, under each rule."""

from __future__ import annotations

import pytest

from orz_bench.extraction.answers import answer_block, extract_boxed, extract_final, extract_orz, orz_capture
from orz_bench.extraction.thoughts import said


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"so </think> <answer> \boxed{42} </answer>", "42"),
        (r"<answer> \boxed{1} or rather \boxed{2} </answer>", "2"),
        (r"<answer> \boxed{\frac{1}{2}} </answer>", r"\frac{1}{2}"),
        (r"\boxed{42}", None),
        (r"<answer> 42 </answer>", None),
        (r"<answer> \boxed{42}", None),
        (r"<answer> \boxed{42 </answer>", None),
        (r"</answer> \boxed{1} <answer>", None),
        ("", None),
    ],
)
def test_orz(response: str, answer: str | None) -> None:
    assert extract_orz(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"\boxed{1} then \boxed{2}", "2"),
        (r"\boxed {3}", "3"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{a \} b}", r"a \} b"),
        (r"\boxed{7", None),
        (r"\boxed{5} and \boxed{6", "5"),
        (r"\boxed{}", None),
        (r"\boxed{1 \\ 2}", r"1 \\ 2"),
        ("no box", None),
    ],
)
def test_boxed(response: str, answer: str | None) -> None:
    assert extract_boxed(response) == answer


@pytest.mark.parametrize(
    ("response", "answer"),
    [
        (r"\boxed{1} <answer> \boxed{2} </answer>", "2"),
        (r"\boxed{1} <answer> 2 </answer>", "2"),
        (r"<answer>1</answer> no: <answer>2</answer>", "2"),
        (r"\boxed{1} <answer> </answer>", "1"),
        (r"<answer> \boxed{3}", "3"),
        ("nothing", None),
    ],
)
def test_final(response: str, answer: str | None) -> None:
    assert extract_final(response) == answer


BOXES = [
    (r"So \fbox{42}", "42"),
    (r"<answer>\fbox{\frac{1}{2}}</answer>", r"\frac{1}{2}"),
    (r"\fbox{Case 1} gives \boxed{7}. \fbox{done}", "7"),
    (r"\boxed 42", "42"),
    (r"$\boxed4$.", "4"),
    (r"\boxed -3.", "-3"),
    (r"\boxed 1/2", "1/2"),
    (r"\boxed\frac{1}{2}", r"\frac{1}{2}"),
    (r"\boxed\frac12", r"\frac12"),
    (r"\boxed x", "x"),
    (r"\boxed\text{Tom}", r"\text{Tom}"),
    (r"\boxed{1} or better \boxed 2", "2"),
    (r"I use the \boxed notation: \boxed{3}", "3"),
    (r"\boxed{ 42 }", "42"),
    (r"\boxed   {42}", "42"),
    (r"\boxed{x = \boxed{5}}", "5"),
    (r"\boxed{\fbox{5}}", r"\fbox{5}"),
    (r"\boxed{5}. In short \boxed{", "5"),
    (r"\boxed{5}. In short \boxed{\frac{1}{2}", "5"),
    (r"\boxed{6 and \boxed{5}", "5"),
    (r"\boxed{5}}} } {", "5"),
    (r"\[ \boxed{42} \]", "42"),
    (r"\\boxed{42}", "42"),
    (r"\boxed{5} or \boxed{6}", "5 or 6"),
    (r"$\boxed{5}$ or $\boxed{6}$.", "5 or 6"),
    (r"\(\boxed{1}\), \(\boxed{2}\) and \(\boxed{3}\)", "1, 2 and 3"),
    (r"\boxed{5} \text{ or } \boxed{6}", "5 or 6"),
    (r"\boxed{5}. So \boxed{6}", "6"),
    (r"\boxed{5}, as asked within \boxed{}", "5"),
    (r"\boxed{5} or rather \boxed{6}", "6"),
]
THOUGHTS = [
    (r"<think> \boxed{1} </think> It is \boxed{2}", "2"),
    (r"<think> \boxed{1} </think> I am done", None),
    (r"<think> \boxed{1}, but", None),
    (r"\boxed{1} </think> It is \boxed{2}", "2"),
    (r"\boxed{1} </think> I am done", None),
    (r"\boxed{1} </think> \boxed{2} </think> I am done", None),
    (r"<think> a </think> \boxed{2} <think> \boxed{3} </think> I am done", "2"),
    (r"<think> a </think> \boxed{2} <think> \boxed{3}", "2"),
    (r"<think> <think> \boxed{1} </think> \boxed{2}", "2"),
    (r"<think> I write <answer>5</answer> </think> It is \boxed{6}.", "6"),
    (r"<think> I write <answer>5</answer> at the", None),
    (r"<think> I write `</think>`, then \boxed{5} </think> \boxed{6}", "6"),
    (r"The answer is \boxed{5}. I wrote no `<think>`.", "5"),
    ("\\boxed{46}\n<think>\n<answer> 46 </answer>", "46"),
    (r"so <answer>\boxed{5}</answer>", "5"),
]
BLOCKS = [
    ("<answer>5</answer></answer>", "5"),
    ("<answer><answer>5</answer>", "5"),
    ("<answer><answer>5</answer></answer>", "5"),
    ("<answer>41</answer> Sorry. <answer>42</answer>", "42"),
    ("</answer><answer>5</answer>", "5"),
    ("<answer>5", None),
    ("<answer>" * 3 + r"\boxed{5}" + "</answer>" * 3, "5"),
    ("<answer>5</answer> and <answer>", "5"),
]


@pytest.mark.parametrize(("response", "answer"), [*BOXES, *THOUGHTS, *BLOCKS])
def test_what_counts_as_the_answer(response: str, answer: str | None) -> None:
    assert extract_final(response) == answer


@pytest.mark.parametrize(("response", "answer"), [*BOXES, *[case for case in THOUGHTS if "<answer>" not in case[0]]])
def test_thoughts_hold_no_box_that_counts(response: str, answer: str | None) -> None:
    assert extract_boxed(response) == answer


def test_the_references_rule_knows_no_thoughts() -> None:
    assert extract_orz(r"<think> <answer> \boxed{5} </answer>") == "5"


def test_what_the_references_expression_captures() -> None:
    assert orz_capture(r"<answer>\boxed{4}x </answer>") == r"\boxed{4}"
    assert orz_capture(r"<answer>\boxed{4} {b} c </answer>") == r"\boxed{4} {b}"
    assert orz_capture(r"<answer>\boxed{</answer>") is None


def test_boxes_are_joined_over_sixty_characters_and_no_more() -> None:
    between = len(r"}or \boxed{")
    assert extract_boxed(r"\boxed{5}" + " " * (60 - between) + r"or \boxed{6}") == "5 or 6"
    assert extract_boxed(r"\boxed{5}" + " " * (61 - between) + r"or \boxed{6}") == "6"


def test_an_empty_block_is_none() -> None:
    assert answer_block("<answer>\n</answer>") is None


@pytest.mark.parametrize(
    "text",
    [
        "\\boxed{" * 100_000,
        "{" * 300_000 + "}" * 300_000,
        "<answer>" * 50_000 + "\\boxed{1}",
        "<answer>" * 50_000 + "</answer>" * 50_000,
        "<think>" * 200_000,
        "</think>\n" * 200_000,
        "<think></think>" * 100_000,
        "`</think>" * 100_000,
        "```\n</think>\n" * 50_000,
        "\\boxed\\frac{" * 60_000,
        "\\boxed " + " " * 300_000,
        "<answer>\n" * 100_000,
    ],
    ids=lambda text: text[:24],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    for extract in (extract_orz, extract_boxed, extract_final, said):
        extract(text)
