"""What is refused before any parser sees it."""

from __future__ import annotations

import pytest

from orz_bench.grading.caps import why_refused


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("x" * 5_000, "characters"),
        ("(" * 65 + ")" * 65, "nests"),
        ("9" * 257, "digits"),
        ("9^{9^{9}}", "power"),
        ("10**10000", "power"),
        ("100000!", "factorial"),
    ],
)
def test_refused(answer: str, why: str) -> None:
    assert why in (why_refused(answer) or "")


@pytest.mark.parametrize("answer", ["42", "1/2004!", "2^{100}", "(" * 60 + "1" + ")" * 60, "2^{-99}", r"\frac{1}{2}"])
def test_let_through(answer: str) -> None:
    assert why_refused(answer) is None
