"""Kappa and the sign test against worked examples and slow references; intervals that are never 0 and hold."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from analysis.behaviours.agreement import Kappa, cohen_kappa
from app.judging.agreement import agreements, sign_test, states_by_judge
from app.judging.annotations import Entry
from app.queries.keys import Response, RowKey


def _items(*counts: tuple[str, str, int]) -> list[tuple[str, str]]:
    return [(a, b) for a, b, number in counts for _ in range(number)]


def test_kappa_of_published_tables() -> None:
    """The grant proposals of the article on Wikipedia (kappa 0.4), and two tables of equal agreement in it."""
    for table, wanted in (
        ((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593),
    ):  # fmt: skip
        yes_yes, yes_no, no_yes, no_no = table
        found = cohen_kappa(_items(("y", "y", yes_yes), ("y", "n", yes_no), ("n", "y", no_yes), ("n", "n", no_no)))
        assert found.kappa == pytest.approx(wanted, abs=5e-5)
        assert (found.num_items, found.num_same) == (sum(table), yes_yes + no_no)


def test_an_interval_is_never_of_width_zero_and_holds_the_estimate() -> None:
    for items in (
        _items(("y", "y", 3), ("n", "n", 2)), _items(("y", "n", 3), ("n", "y", 2)),
        _items(("a", "a", 1), ("b", "c", 1)),
    ):  # fmt: skip
        found = cohen_kappa(items)
        assert found.kappa is not None
        assert found.interval is not None
        assert found.interval.low < found.interval.high
        assert -1 <= found.interval.low <= found.kappa <= found.interval.high <= 1


@pytest.mark.parametrize("items", [[], _items(("y", "y", 9))])
def test_no_kappa_where_chance_alone_agrees(items: list[tuple[str, str]]) -> None:
    assert cohen_kappa(items) == Kappa(num_items=len(items), num_same=len(items), kappa=None, interval=None)


def test_an_interval_contains_the_true_kappa() -> None:
    """In 94 of 100 cases or more, also of rare categories (a short form: 200 samples of 40 items each)."""
    rng = random.Random(1)
    for shares in ((0.4, 0.1, 0.1, 0.4), (0.05, 0.05, 0.03, 0.87), (0.06, 0.14, 0.24, 0.56)):
        expected = (shares[0] + shares[1]) * (shares[0] + shares[2]) + (shares[3] + shares[1]) * (shares[3] + shares[2])
        true = (shares[0] + shares[3] - expected) / (1 - expected)
        drawn = [
            cohen_kappa(rng.choices([(a, b) for a in "yn" for b in "yn"], shares, k=40)).interval for _ in range(200)
        ]
        known = [one for one in drawn if one is not None]
        assert sum(one.low <= true <= one.high for one in known) >= 0.93 * len(known)


def test_sign_test_is_the_sum_over_all_outcomes() -> None:
    for first, second in itertools.product(range(7), repeat=2):
        n = first + second
        as_unequal = sum(
            abs(sum(signs) * 2 - n) >= abs(first - second) for signs in itertools.product((0, 1), repeat=n)
        )
        assert sign_test(first, second) == pytest.approx(float(Fraction(as_unequal, 2**n)))
    assert 0 < sign_test(0, 2000) < 1e-300 or sign_test(0, 2000) == 0.0


def _said(author: str, number: int, **changes: str | None) -> tuple[Response, Entry]:
    key = RowKey("arithmetic", 0, "f", f"p{number}", 0)
    facts: dict[str, str | None] = {"field": "seen", "name": "", "value": "yes", "reason": None} | changes
    return Response(key, ""), Entry(time=f"2026-01-0{number + 1}", author=author, key=key, **facts)  # type: ignore[arg-type]


def test_judges_agree_on_what_both_have_judged() -> None:
    said = [
        _said("ada", 0), _said("ada", 0, field="tag", name="x"), _said("ada", 1), _said("ada", 2),
        _said("bob", 0, field="tag", name="x"), _said("bob", 1, field="tag", name="x"),
        _said("bob", 1, field="verdict", value="correct", reason="r"), _said("eve", 7),
    ]  # fmt: skip
    entries: dict[Response, list[Entry]] = {}
    for response, entry in said:
        entries.setdefault(response, []).append(entry)
    found = {(one.what, one.first, one.second): one.kappa for one in agreements(states_by_judge(entries))}
    assert list(found) == [("verdict", "ada", "bob"), ("tag x", "ada", "bob")], "eve shares no response with them"
    assert (found["tag x", "ada", "bob"].num_items, found["tag x", "ada", "bob"].num_same) == (2, 1)
    assert found["verdict", "ada", "bob"].num_same == 1
