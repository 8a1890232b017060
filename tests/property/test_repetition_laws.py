"""Laws of repetition: the score and the loop are those of their slow definitions, for any text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.texts.repetition import MIN_LOOP_CHARS, MIN_LOOP_REPEATS, find_loop, repetition_features
from orz_bench.extraction.responses import SuffixArray, repetition_scores

characters = st.one_of(st.sampled_from("ab "), st.characters(), st.sampled_from("\ud800\udfff\U0001f600\0é"))
any_text = st.text(characters, max_size=40)
repeating = st.builds(
    lambda before, unit, times, cut: before + unit * times + unit[:cut],
    st.text("ab ", max_size=30), st.text("ab é", min_size=1, max_size=30), st.integers(0, 30), st.integers(0, 30),
)  # fmt: skip


def common(left: str, right: str) -> int:
    length = 0
    while left[length : length + 1] == right[length : length + 1] != "":
        length += 1
    return length


def slow_score(text: str) -> float:
    """Two sums over the sorted suffixes, in O(n^2) comparisons of characters."""
    suffixes = sorted(text[start:] for start in range(len(text)))
    total = sum(common(left, right) for left, right in pairwise(suffixes))
    return 2 * total / (len(text) * (len(text) + 1)) if text else 0.0


@given(any_text | repeating)
def test_the_score_is_that_of_the_definition(text: str) -> None:
    assert repetition_scores([text]) == [pytest.approx(slow_score(text))]


@given(any_text | repeating)
def test_the_score_counts_distinct_substrings(text: str) -> None:
    n = len(text)
    distinct = {text[start:end] for start in range(n) for end in range(start + 1, n + 1)}
    assert SuffixArray.of(text).common.sum() == n * (n + 1) // 2 - len(distinct)


@given(any_text)
def test_the_suffix_array_is_sorted_with_its_shared_prefixes(text: str) -> None:
    array = SuffixArray.of(text)
    assert sorted(array.order.tolist()) == list(range(len(text)))
    suffixes = [text[start:] for start in array.order]
    assert array.common[:-1].tolist() == [common(left, right) for left, right in pairwise(suffixes)]


@given(any_text | repeating)
def test_the_score_is_the_same_backwards(text: str) -> None:
    assert repetition_features([text])["repetition"].tolist() == repetition_scores([text])


def slow_loop(text: str) -> tuple[int, int] | None:
    """(period, characters) of the longest end with three periods, the smallest period first."""
    best = None
    for period in range(1, len(text) // MIN_LOOP_REPEATS + 1):
        size = period + common(text[::-1], text[: len(text) - period][::-1])
        if size >= MIN_LOOP_REPEATS * period and size >= MIN_LOOP_CHARS and (best is None or size > best[1]):
            best = (period, size)
    return best


@given(repeating)
def test_the_loop_is_that_of_the_definition(text: str) -> None:
    loop = find_loop(text)
    assert (loop and (loop.period, loop.num_chars)) == slow_loop(text)


@given(repeating)
def test_the_loop_repeats(text: str) -> None:
    loop = find_loop(text)
    if loop:
        end = text[len(text) - loop.num_chars :]
        assert end[loop.period :] == end[: -loop.period]
        assert loop.repeats >= MIN_LOOP_REPEATS


def test_more_than_256_different_characters() -> None:
    text = "".join(map(chr, range(1000, 1400))) * 2 + "\ud800"
    assert repetition_scores([text]) == [pytest.approx(slow_score(text))]
