"""Keys of rollouts, and the order of names with numbers."""

from __future__ import annotations

import re

import duckdb
from hypothesis import given
from hypothesis import strategies as some

from app.queries.keys import natural


def _ordered(names: list[str]) -> list[str]:
    with duckdb.connect() as database:
        rows = database.execute(
            f"SELECT name FROM (SELECT unnest(?::VARCHAR[]) AS name) ORDER BY {natural('name')}", [names]
        ).fetchall()
    return [name for (name,) in rows]


def test_every_number_in_an_id_counts_as_one() -> None:
    """The names of benchmarks hold numbers themselves."""
    for wanted in (
        ["0", "1", "2", "10", "100"],
        ["aime2024-2", "aime2024-10", "aime2025-1"],
        ["2024-I-2", "2024-I-10", "2024-II-1"],
        ["a7-x3", "a7-x12", "a7-y1"],
        ["", "7" * 29, "7" * 40, "b"],
    ):
        assert _ordered(wanted[::-1]) == wanted


@given(some.lists(some.from_regex("[ab](0|[1-9][0-9]{0,4})([xy-](0|[1-9][0-9]{0,4}))?", fullmatch=True), max_size=8))
def test_the_order_is_that_of_texts_and_numbers(names: list[str]) -> None:
    def pieces(name: str) -> list[tuple[int, int, str]]:
        found = re.findall("[0-9]+|[^0-9]+", name)
        return [(0, int(piece), "") if piece.isdecimal() else (1, 0, piece) for piece in found]

    assert _ordered(names) == sorted(names, key=pieces)
