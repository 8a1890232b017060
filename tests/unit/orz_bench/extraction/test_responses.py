"""What texts look like: the reference's reflection patterns, format, repetition against a slow suffix array."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orz_bench.extraction.responses import count_reflections, keeps_format, repetition_scores
from tests.support.cpu_time import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("12. wait, recheck: 3", 1),
        ("wait, wait, however, recheck, retry alternatively,", 6),
        ("Wait, However, that waits", 0),
        ("recheck\nit", 1),
    ],
)
def test_reflections_are_counted_as_by_the_reference(text: str, count: int) -> None:
    assert count_reflections(text) == count


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (" 3+4=7 </think> <answer> \\boxed{7} </answer>", True),
        (" 3+4=7 </think> <answer> \\boxed{7} </answer> and", False),
        (" 3+4=7 <answer> \\boxed{7} </answer>", False),
        (" a </think> b </think> <answer> 7 </answer>", False),
        (" a </think> <answer> 7 </answer> <answer> 8 </answer>", False),
        (" a </think> <answer> 7", False),
    ],
)
def test_format(text: str, wanted: bool) -> None:
    assert keeps_format(text) is wanted


UNTAGGED = r"(?:(?!</?think>|</?answer>).)*"
FORM = re.compile(rf"{UNTAGGED}</think>\s*<answer>{UNTAGGED}</answer>\s*", re.DOTALL)
PIECES = ["</think>", "<answer>", "</answer>", "<think>", " ", "\n", "a", "\x1c", "\u00a0", "<", "/think>"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_the_format_is_that_of_one_regex(text: str) -> None:
    assert keeps_format(text) is (FORM.fullmatch(text) is not None)


def test_the_format_of_a_long_hostile_text_is_checked_quickly() -> None:
    with at_most_cpu_seconds(30):
        assert not keeps_format("</think> <answer>" * 50_000 + " " * 500_000)


def slow_score(text: str) -> float:
    order = sorted(range(len(text)), key=lambda start: text[start:])
    total = 0
    for left, right in pairwise(order):
        common = 0
        while text[left + common : left + common + 1] == text[right + common : right + common + 1] != "":
            common += 1
        total += common
    return 2 * total / (len(text) * (len(text) + 1)) if text else 0.0


@given(st.lists(st.text("ab é", max_size=30), max_size=6))
def test_repetition_is_that_of_a_plain_suffix_array(texts: list[str]) -> None:
    assert repetition_scores(texts) == pytest.approx([slow_score(text) for text in texts])


def test_repetition_of_long_texts() -> None:
    low, high = repetition_scores(["".join(map(chr, range(256, 4256))), "wait, " * 2000])
    assert low == 0.0
    assert high > 0.9
