"""LiveCodeBench's rules of comparison, case by case."""

from __future__ import annotations

import tracemalloc
from collections import Counter, OrderedDict, deque
from decimal import Decimal, InvalidOperation
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orz_bench.grading.code.compare import why_output_differs, why_value_differs
from orz_bench.sandbox.values import encode


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("1\n2\n", "1\n2"),
        ("\n\n 1 \n2\t\n\n", "1\n2"),
        ("1\r\n2\r\n", "1\n2"),
        ("1.0 2.50", "1 2.5"),
        ("1e3", "1000"),
        ("0010", "10"),
        ("-0", "0"),
        ("1   2", "1 2"),
        ("12345678901234567890.000", "12345678901234567890"),
        ("", ""),
        ("Yes", "Yes"),
        ("1_000", "1000"),
        ("Infinity", "inf"),
    ],
)
def test_the_same(printed: str, expected: str) -> None:
    assert why_output_differs(printed, expected) is None


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("1\n\n2", "1\n2"),
        ("1 2", "1\n2"),
        ("yes", "Yes"),
        ("a  b", "a b"),
        ("50000000000000000", "50000000000000001"),
        ("0.1", "0.10000000001"),
        ("1 x", "1.0 x"),
        ("nan", "nan0"),
        ("snan", "1"),
        ("1", ""),
        ("", "1"),
        ("1e999999999999999999999", "1"),
    ],
)
def test_not_the_same(printed: str, expected: str) -> None:
    assert why_output_differs(printed, expected) is not None


def test_what_differs_is_said_and_cut() -> None:
    assert why_output_differs("1\n2", "1\n3") == "line 2 is '2', wanted '3'"
    assert len(why_output_differs("x" * 1000, "y" * 1000) or "") < 250


def test_hostile_numbers_take_no_time() -> None:
    why_output_differs("1e999999999999999999", "1e-999999999999999999")
    why_output_differs("9" * 10**6, "8" * 10**6)
    assert why_value_differs("9" * 10_000, "1") is not None
    assert why_value_differs("[" * 100_000, "1") is not None


class Always:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = object.__hash__


class AlwaysList(list[int]):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None


class AlwaysInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


class Colour(IntEnum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "1"),
        (1.0, "1"),
        (True, "1"),
        (1, "true"),
        ([1, [2.0]], "[1, [2]]"),
        ((1, 2), "[1, 2]"),
        (None, "null"),
        ("a\n☃\ud800", '"a\\n☃\\ud800"'),
        (10**30, str(10**30)),
        (Colour.RED, "1"),
        (np.int64(3), "3"),
        (np.float64(0.5), "0.5"),
        (np.bool_(True), "true"),  # the value is what is tested
        ({"a": [1]}, '{"a": [1]}'),
        (OrderedDict(a=1), '{"a": 1}'),
        (Counter("aa"), '{"a": 2}'),
        (0.1 + 0.2, "0.30000000000000004"),
    ],
)
def test_equal_values(value: Any, expected: str) -> None:
    assert why_value_differs(encode(value), expected) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, "2"),
        ("1", "1"),
        ([(1, 2)], "[[1, 2]]"),
        ({1: 2}, '{"1": 2}'),
        ({1, 2}, "[1, 2]"),
        (deque([1]), "[1]"),
        (Always(), "1"),
        (AlwaysList([1]), "[2]"),
        (AlwaysInt(1), "2"),
        (np.array([1, 2]), "[1, 2]"),
        (float("nan"), "NaN"),
        (b"a", '"a"'),
        (0.1 + 0.2, "0.3"),
        (None, "[]"),
        ({"tuple": []}, "[]"),
    ],
)
def test_values_that_are_not_equal(value: Any, expected: str) -> None:
    assert why_value_differs(encode(value), expected) is not None


@pytest.mark.parametrize("forged", ["", "true", "[1,2", "correct", '{"object":"x"}', "[1]\n[2]"])
def test_a_forged_value_is_rejected(forged: str) -> None:
    assert why_value_differs(forged, "[2]") is not None


def test_counts_are_compared_before_anything_is_taken_apart() -> None:
    """Sixteen megabytes of short lines, words or values cost the grader less than they are large."""
    huge = {"lines": "1\n" * 2**23, "words": "1 " * 2**23, "digits": "1" * 2**24}
    tracemalloc.start()
    try:
        for name, text in huge.items():
            assert why_output_differs(text, "1 2"), name
        assert why_value_differs("[" + "[]," * 2**22 + "[]]", "[1, 2]")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


@pytest.mark.parametrize(
    ("value", "expected", "is_right"),
    [
        ({"a": 1, "b": [2, (3,)]}, '{"b": [2, [3]], "a": 1}', False),  # a tuple is not a list
        ({"a": 1, "b": [2]}, '{"b": [2], "a": 1}', True),
        ({"a": 1.0, "b": True}, '{"b": 1, "a": 1}', True),
        ({1: 2}, '{"1": 2}', False),
        ({(1, 2): 3}, '{"1": 3}', False),
        ((1,), '{"tuple": [1]}', False),
        ([(1,)], '[{"tuple": [1]}]', False),
        ({"dict": [["a", 1]]}, '{"a": 1}', False),
        ({"dict": [["a", 1]]}, '{"dict": [["a", 1]]}', True),
        ([1e22], "[10000000000000000000000]", True),
    ],
)
def test_dictionaries_have_no_order(value: object, expected: str, is_right: bool) -> None:
    assert (why_value_differs(encode(value), expected) is None) == is_right


def lines_and_words(printed: str, expected: str) -> bool:
    """The rule written down plainly."""

    def lines(text: str) -> list[str]:
        return [line.strip() for line in text.strip().split("\n")]

    def numbers(line: str) -> list[Decimal] | None:
        try:
            return [Decimal(word) for word in line.split()]
        except InvalidOperation:
            return None

    found, wanted = lines(printed), lines(expected)
    return len(found) == len(wanted) and all(
        line == right or (numbers(line) is not None and numbers(line) == numbers(right))
        for line, right in zip(found, wanted, strict=True)
    )


@given(
    *[st.text(alphabet="1 0.\n\te-xN", max_size=12)] * 2,
)
@settings(max_examples=300)
def test_the_rule_is_the_plain_one(printed: str, expected: str) -> None:
    assert (why_output_differs(printed, expected) is None) == lines_and_words(printed, expected)
