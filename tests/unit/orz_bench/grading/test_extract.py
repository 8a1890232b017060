"""Where in a response the answer is, under each rule."""

from __future__ import annotations

import pytest

from orz_bench.grading.extract import answer_block, extract_boxed, extract_final, extract_orz


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


def test_an_empty_block_is_none() -> None:
    assert answer_block("<answer>\n</answer>") is None


@pytest.mark.parametrize(
    "text", ["\\boxed{" * 100_000, "{" * 300_000 + "}" * 300_000, "<answer>" * 50_000 + "\\boxed{1}"]
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    for extract in (extract_orz, extract_boxed, extract_final):
        extract(text)
