"""Every value that a sentence ends with, and where."""

from __future__ import annotations

import pytest

from orz_bench.extraction.conclusions import conclusions
from tests.support.cpu_time import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" 17. wait, 3+4=7, 7+8=15 </think> <answer> \\boxed{15} </answer>", ["17", "7", "15", "15", "\\boxed{15}"]),
        ("The sum is 12. So the answer is **14**.", ["12", "14"]),
        ("1. Simplify\n2. Add: 3+3 = 6.\n(3) Then\n", ["6"]),
        ("We get\n\\[\nx = 5\n\\]\nand \\(y = \\frac{1}{2}\\).", ["5", "\\frac{1}{2}"]),
        ("\\[\n6 + 9i\n\\]", ["6 + 9i"]),
        ("Answer: (B)\nFinal Answer: \\boxed{\\frac{3}{4}}", ["(B)", "\\frac{3}{4}", "\\boxed{\\frac{3}{4}}"]),
        ("It costs $1,250 = 1{,}250", ["1{,}250"]),
        ("no result here", []),
        ("", []),
    ],
)
def test_conclusions(text: str, wanted: list[str]) -> None:
    assert [found.answer for found in conclusions(text)] == wanted


def test_the_end_is_that_of_the_sentence() -> None:
    text = "so x = 4, then y = 5. Done"
    assert [text[: found.end] for found in conclusions(text)] == ["so x = 4", "so x = 4, then y = 5"]


@pytest.mark.parametrize("part", ["a ", "= ", "\\boxed{", "\\boxed{1} ", "\\quad ", "1. ", "is "])
def test_linear_for_any_text(part: str) -> None:
    with at_most_cpu_seconds(3):
        list(conclusions(part * (200_000 // len(part))))
