"""Golds of choices are one letter; anything that only holds letters is refused."""

from __future__ import annotations

from typing import Any

import pytest

from orz_bench.benchmarks import gpqa
from orz_bench.benchmarks.rows import letter_answer
from orz_bench.errors import DataError


@pytest.mark.parametrize("gold", ["AB", "BC", "ABCD", "E", "a", "", "A ", "AA"])
def test_what_is_no_letter_is_refused(gold: str) -> None:
    row: dict[str, Any] = {"question": "Which?", "answer": gold, "id": "x"}
    if gold.strip() != "A":
        with pytest.raises(DataError):
            gpqa.parse_row(row, 0)
    with pytest.raises(DataError):
        letter_answer(row, num_options=4)


def test_a_letter_is_accepted() -> None:
    assert gpqa.parse_row({"question": "Which?", "answer": "C", "id": "x"}, 0).gold == "C"
