"""Values of tokens for the eye: marks, strip, curve and drops are what the numbers say, and hold no text."""

from __future__ import annotations

import itertools
import math
import re

from hypothesis import given
from hypothesis import strategies as st

from app.reader.markup import Mark, marked_html
from app.reader.values import (
    MIN_DROP,
    MOST_DROPS,
    STRIP_CELLS,
    advantage_marks,
    curve_points,
    drop_places,
    largest_drops,
    strip_html,
    value_marks,
)

VALUES = st.lists(st.floats(-0.5, 1.5) | st.sampled_from([0.0, 0.5, 1.0, math.nan, math.inf]), min_size=1, max_size=60)


def test_a_token_has_the_colour_and_the_number_of_its_value() -> None:
    assert value_marks([0.0, 0.05, 0.951, 1.4, -3], [1, 3, 6, 6, 7]) == [
        Mark(0, 1, "val0", "value 0.00"),
        Mark(1, 3, "val0", "value 0.05"),
        Mark(3, 6, "val9", "value 0.95"),
        Mark(6, 7, "val0", "value -3.00"),
    ]


def test_neighbours_with_one_value_are_one_mark() -> None:
    assert value_marks([0.501, 0.5, 0.499, 0.7], [2, 4, 6, 8]) == [
        Mark(0, 4, "val5", "value 0.50"),
        Mark(4, 6, "val4", "value 0.50"),
        Mark(6, 8, "val7", "value 0.70"),
    ]


def test_the_advantage_is_reward_minus_value() -> None:
    assert advantage_marks([0.2, 0.95, 0.6], [1, 2, 3], reward=1.0) == [
        Mark(0, 1, "adv-p4", "advantage +0.80"),
        Mark(2, 3, "adv-p2", "advantage +0.40"),
    ]
    assert advantage_marks([0.2, 1.0], [1, 2], reward=0.0) == [
        Mark(0, 1, "adv-n1", "advantage -0.20"),
        Mark(1, 2, "adv-n5", "advantage -1.00"),
    ]


@given(VALUES)
def test_marks_lie_side_by_side_within_the_text(values: list[float]) -> None:
    ends = [at // 2 * 2 + 2 for at in range(len(values))]  # two tokens share a character
    text = "x" * (ends[-1] + 1)
    for marks in (value_marks(values, ends), advantage_marks(values, ends, reward=1.0)):
        at = 0
        for mark in marks:
            assert at <= mark.start < mark.end <= len(text)
            at = mark.end
        marked_html(text, marks)  # every layer is a class


def test_drops_are_falls_without_a_rise_in_between() -> None:
    values = [0.9, 0.8, 0.3, 0.36, 0.3, 0.9, 0.1]
    ends = [1, 3, 5, 7, 9, 11, 13]
    drops = largest_drops(values, ends)
    assert [(drop.first, drop.last, drop.start, round(drop.size, 2)) for drop in drops] == [
        (0, 1, 0, 0.6),
        (3, 3, 5, 0.06),
        (5, 5, 9, 0.8),
    ]
    places = drop_places(drops, "abc\ndefghijklm")
    assert [(place.start, place.label) for place in places] == [
        (0, "−0.60 abc defghijklm"),
        (5, "−0.06 efghijklm"),
        (9, "−0.80 ijklm"),
    ]


@given(VALUES)
def test_no_drop_is_missed_or_made_up(values: list[float]) -> None:
    drops = largest_drops(values, list(range(1, len(values) + 1)))
    for drop in drops:
        stretch = values[drop.first : drop.last + 2]
        assert all(b < a for a, b in itertools.pairwise(stretch))
        assert drop.size >= MIN_DROP
    steps = [a - b for a, b in itertools.pairwise(values) if math.isfinite(a) and math.isfinite(b)]
    if len(drops) < MOST_DROPS and steps:
        covered = {at for drop in drops for at in range(drop.first, drop.last + 1)}
        for at, (a, b) in enumerate(itertools.pairwise(values)):
            assert at in covered or not (math.isfinite(a) and math.isfinite(b)) or a - b < MIN_DROP


@given(VALUES)
def test_the_strip_has_every_token_in_one_cell(values: list[float]) -> None:
    found = strip_html(values * 5)
    assert found.count("<i ") == min(len(values) * 5, STRIP_CELLS)
    spans = re.findall(r"tokens? ([\d,]+)(?: to ([\d,]+))?:", found)
    numbers = [int(number.replace(",", "")) for pair in spans for number in pair if number]
    assert numbers[0] == 1
    assert numbers[-1] == len(values) * 5
    assert len(numbers) == len(set(numbers))


@given(VALUES)
def test_a_long_curve_keeps_its_extremes(values: list[float]) -> None:
    long = values * 40
    finite = [value for value in long if math.isfinite(value)]
    points = curve_points(long, most=50)
    assert len(points) <= 52 or len(finite) <= 50
    if finite:
        assert {min(finite), max(finite)} <= {value for _, value in points}
    assert all(long[token - 1] == value for token, value in points)


def test_no_value_is_a_number() -> None:
    found = strip_html([math.nan])
    assert "val-none" in found
    assert "No value is a number." in found
    assert largest_drops([math.nan, 0.1], [1, 2]) == []
