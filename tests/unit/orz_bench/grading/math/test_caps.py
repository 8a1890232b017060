"""What is refused before any parser sees it."""

from __future__ import annotations

import pytest

from orz_bench.grading.math.caps import why_refused


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("x" * 5_000, "characters"),
        ("(" * 65 + ")" * 65, "nests"),
        ("9" * 257, "digits"),
        ("9^{9^{9}}", "power"),
        ("10**10000", "power"),
        ("100000!", "factorial"),
        ("100!!", "factorial"),
        ("(20!)!", "factorial"),
        (r"\frac{1000000!}{999999!}", "factorial"),
        ("3!!!", "factorial"),
        ("(2^{100})!", "factorial"),
        (r"\binom{10^9}{5 \cdot 10^8}", "binomial"),
        (r"{1000000 \choose 500000}", "binomial"),
        ("x^{10^9}", "exponent"),
        ("(x+1)^{100000}", "exponent"),
        ("((((((9^9)^9)^9)^9)^9)^9)", "power"),
        (r"\gcd(2^{10^9}, 4)", "power"),
        ("9^9^9", "power"),
        ("2^{1000!}", "power"),
        ("(2000!)^{2000}", "power"),
        (r"\left(2^{1000}\right)^{1000}", "power"),
        ("x^{x^{x^{x^{x^{x^{x^{x}}}}}}}", "tower"),
        (r"\sqrt{1+" * 41 + "2" + "}" * 41, "roots"),
        (r"\sum_{k=1}^{10^{12}} \frac{1}{k^2}", "terms"),
        (r"\prod_{k=1}^{10^9}\frac{k+1}{k}", "terms"),
        (r"\sum_{k=1}^{10^8} \lfloor \sqrt{k} \rfloor", "terms"),
    ],
)
def test_refused(answer: str, why: str) -> None:
    assert why in (why_refused(answer) or "")


REASONABLE = [
    "42",
    "1/2004!",
    "2^{100}",
    "(" * 60 + "1" + ")" * 60,
    "2^{-99}",
    r"\frac{1}{2}",
    "10^{2019}+1",
    "7^{2020}-1",
    r"\frac{2^{2017}-1}{3}",
    "2^{1+2+3+4+5+6+7+8+9+10+11+12+13+14+15}",
    "5!!",
    "(3!)!",
    "x^{2020}+1",
    "(x+1)^{1000}",
    "i^{10^9}",
    "(-1)^{10^9}",
    "1^{10^{12}}",
    r"e^{e^{e^{x}}}",
    r"\binom{2020}{1010}",
    r"\binom{10^9}{3}",
    r"\binom{n}{k}",
    "n!",
    r"\sum_{k=1}^{10^6} k",
    r"\sum_{k=1}^{2023} \frac{1}{k}",
    r"\sum_{k=1}^{\infty} \frac{1}{k^2}",
    r"\prod_{k=1}^{100} \left(1+\frac1k\right)",
    r"\sqrt{2+\sqrt{2+\sqrt{2+\sqrt 2}}}",
    r"\sqrt[3]{2}",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
    "]}) 1 + (",
    "^!_",
    "",
]


@pytest.mark.parametrize("answer", ["^2" * 2_000, "2^" * 2_000, "!" * 4_000, "{" * 64 + "^" * 3_000, "_^" * 2_000])
def test_any_text_is_read(answer: str) -> None:
    why_refused(answer)


@pytest.mark.parametrize("answer", REASONABLE)
def test_let_through(answer: str) -> None:
    assert why_refused(answer) is None
