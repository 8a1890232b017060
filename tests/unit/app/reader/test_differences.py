from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.reader.differences import MAX_WORDS, differences
from app.reader.markup import Mark
from tests.support.cpu_time import at_most_cpu_seconds

TEXTS = st.text(st.sampled_from("ab ,\n"), max_size=40)


def _left_over(text: str, marks: tuple[Mark, ...]) -> str:
    kept = [char for at, char in enumerate(text) if not any(mark.start <= at < mark.end for mark in marks)]
    return "".join("".join(kept).split())


@given(left=TEXTS, right=TEXTS)
def test_what_is_not_marked_is_the_same(left: str, right: str) -> None:
    found = differences(left, right)
    assert _left_over(left, found.left) == _left_over(right, found.right)
    assert found.is_whole


def test_words_that_differ() -> None:
    found = differences("so 3 + 4 = 7", "so 3 + 5 = 8, wait")
    assert found.left == (Mark(7, 8, "removed"), Mark(11, 12, "removed"))
    assert ["so 3 + 5 = 8, wait"[mark.start : mark.end] for mark in found.right] == ["5", "8, wait"]


def test_white_space_is_not_a_difference() -> None:
    found = differences("a  b", "a\nb")
    assert (found.left, found.right, found.similarity) == ((), (), 1.0)


def test_long_texts_end_in_time_and_say_so() -> None:
    with at_most_cpu_seconds(20):
        found = differences("a b " * 100_000, "b a " * 100_000)
        assert not found.is_whole
        assert not differences("a " * MAX_WORDS, "b " * MAX_WORDS).is_whole
