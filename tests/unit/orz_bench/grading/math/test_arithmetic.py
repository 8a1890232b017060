"""Plain arithmetic without eval."""

from __future__ import annotations

import pytest
from sympy import Rational

from orz_bench.grading.math.arithmetic import read_arithmetic


@pytest.mark.parametrize(
    ("text", "value"),
    [("1/2", Rational(1, 2)), ("3*(4+1)/2", Rational(15, 2)), ("-7", -7), ("2**10 - 1", 1023), ("1.5+1", 2.5)],
)
def test_values(text: str, value: object) -> None:
    assert read_arithmetic(text).doit() == value


@pytest.mark.parametrize(
    "text", ["x", "f(1)", "1 if 1 else 2", "'a'", "[1]", "1;2", "", "__import__('os')", "True", "(" * 500]
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not plain arithmetic"):
        read_arithmetic(text)
