"""Texts with the same meaning have one key, without typesetting."""

from __future__ import annotations

import pytest

from orz_bench.grading.surface.text_key import plain_latex, text_key, words_key


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("$x$", "x"),
        (r"\(x + 1\)", "x + 1"),
        ("$$x$$", "x"),
        ("5.", "5"),
        ("...", r"\ldots"),
        ("3 \u00d7 4", r"3 \times 4"),
        ("\u221a3", r"\sqrt{3}"),
        ("\u221a(x+1)", r"\sqrt{x+1}"),
        ("1.5e-7", r"1.5 \times 10^{-7}"),
        ("2^-99", "2^{-99}"),
        ("sqrt(2)/2", r"\sqrt{2}/2"),
        ("(-inf, 3]", r"(-\infty , 3]"),
        ("2pi", r"2\pi"),
        ("spin", r"\text{spin}"),
        (r"\frac{pi}{2}", r"\frac{\pi }{2}"),
        ("$5 and $6", r"5 \text{and} 6"),
    ],
)
def test_plain(text: str, plain: str) -> None:
    assert plain_latex(text) == plain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\left( 3, 4 \right)", "(3,4)"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}"),
        (r"\mathrm{cm}", r"\text{cm}"),
        (r"x\,y", "x y"),
        (r"1\ldots n", r"1\cdots n"),
    ],
)
def test_one_key(one: str, other: str) -> None:
    assert text_key(one) == text_key(other)


@pytest.mark.parametrize(("one", "other"), [("12", "1 2"), ("ab", "a b"), ("(1,2)", "(2,1)"), ("x^2", "x_2")])
def test_different_keys(one: str, other: str) -> None:
    assert text_key(one) != text_key(other)


def test_words_ignore_case_and_text_commands() -> None:
    assert words_key(r"\text{Miriam}") == words_key("MIRIAM")
