"""Names in little space."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from app.queries.reasons import REASONS
from app.views.list_columns import COLUMNS, column_config, frame_of
from app.views.names import column_px, told_apart


@given(st.lists(st.text("ab-/", max_size=40), max_size=8), st.integers(4, 30))
def test_no_two_names_look_alike(names: list[str], limit: int) -> None:
    shown = told_apart(names, limit=limit)
    assert set(shown) == set(names)
    assert len(set(shown.values())) == len(shown)
    assert all(shown[name] == name for name in names if len(name) <= limit) or max(map(len, shown.values())) > limit


def test_the_end_is_kept() -> None:
    names = [f"Open-Reasoner-Zero-7B-reproduction-seed-{n}" for n in (1, 2)]
    assert list(told_apart(names, limit=24).values()) == ["Open-Re…roduction-seed-1", "Open-Re…roduction-seed-2"]


def test_a_column_shows_names_to_the_end_that_tells_them_apart() -> None:
    """Of the font of tables, 36 characters of a name take 193 pixels, and a cell has margins of 8."""
    ids = [f"algebra-and-number-theory-{n}" for n in range(10)]
    assert column_px(ids, least=50) > 193 / 36 * len(ids[0]) + 16
    assert column_px(["a"], least=50) == 50
    assert column_px(["a" * 1000], least=50, most=170) == 170
    frame = pd.DataFrame({"problem": list(told_apart(ids, limit=15).values())})
    assert column_config(frame)["problem"]["width"] == COLUMNS["problem"].width
    assert column_config(pd.DataFrame({"problem": ids}))["problem"]["width"] == 170
    assert column_config(frame_of([], ["gold"], given={}))["problem"]["width"] == COLUMNS["problem"].width


def test_every_reason_fits_into_its_column() -> None:
    """The longest one, of 26 characters, takes 134 pixels, and a cell has margins of 8."""
    assert max(len(reason.title) for reason in REASONS) * 134 / 26 + 16 <= COLUMNS["look"].width
