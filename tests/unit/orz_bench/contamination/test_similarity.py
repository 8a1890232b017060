"""ROUGE-L and exact match, against a slow reference."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.contamination.similarity import longest_common, similarity

WORDS = st.lists(st.sampled_from("abcd"), max_size=70)


def slow(a: Sequence[str], b: Sequence[str]) -> int:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a, start=1):
        for j, right in enumerate(b, start=1):
            table[i][j] = table[i - 1][j - 1] + 1 if left == right else max(table[i - 1][j], table[i][j - 1])
    return table[-1][-1]


@given(WORDS, WORDS)
def test_the_longest_common_subsequence(a: list[str], b: list[str]) -> None:
    assert longest_common(a, b) == slow(a, b)


@pytest.mark.parametrize(
    ("completion", "rest", "exact", "rouge"),
    [
        (" 7 + 8? And more", "7 +  8?", True, 1),
        ("7 + 9?", "7 + 8?", False, 3 / 4),
        ("", "7", False, 0),
        ("The Apples", "the apples fall", False, 2 * 2 / 5),
        ("fall the", "the fall", False, 1 / 2),
    ],
)
def test_by_hand(completion: str, rest: str, exact: bool, rouge: float) -> None:
    found = similarity(completion, rest)
    assert found.is_exact is exact
    assert found.rouge_l == pytest.approx(rouge)
