"""Repeated n-grams and loops, against slow definitions; hostile lengths."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.texts.repetition import find_loop, repeated_ngrams, repetition_features
from tests.support.cpu_time import at_most_cpu_seconds


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a b c", None),
        ("a b c d", 0.0),
        ("a b c d a b c d", 0.2),  # five 4-grams, the last is the first
        ("x " * 13, 0.9),
        ("", None),
    ],
)
def test_repeated_ngrams(text: str, share: float | None) -> None:
    assert repeated_ngrams(text) == (None if share is None else pytest.approx(share))


def test_a_loop_at_the_end() -> None:
    loop = find_loop("First I add. " + "and then again, " * 10 + "and th")
    assert loop is not None
    assert (loop.period, loop.num_chars) == (16, 167)  # one character of the sentence before fits as well
    assert loop.repeats == pytest.approx(167 / 16)


@pytest.mark.parametrize(
    "text",
    ["", "a", "no loop here", "again, " * 30 + "but then it stops.", "a line\n" + "-" * 40, "twice and twice and " * 2],
)
def test_no_loop_at_the_end(text: str) -> None:
    assert find_loop(text) is None


def test_the_smallest_period_is_named() -> None:
    loop = find_loop("ha" * 100)
    assert loop is not None
    assert (loop.period, loop.num_chars) == (2, 200)


def test_features_without_a_loop_are_unknown_not_zero() -> None:
    features = repetition_features(["ab" * 50, "one two three four five"])
    assert features["ends_in_loop"].tolist() == [True, False]
    assert features["loop_period"].tolist() == [2, pd.NA]
    assert features["loop_repeats"].tolist() == [50.0, pd.NA]
    assert features["repeated_4grams"].tolist() == [pd.NA, 0.0]


def test_long_hostile_texts_are_fast() -> None:
    fibonacci = ["b", "a"]
    while len(fibonacci[-1]) < 100_000:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    with at_most_cpu_seconds(30):
        repetition_features(
            ["a" * 200_000, fibonacci[-1], "ab" * 100_000 + "c", "".join(map(chr, range(1000, 60_000)))]
        )
