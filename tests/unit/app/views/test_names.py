"""Names in little space."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.views.names import told_apart


@given(st.lists(st.text("ab-/", max_size=40), max_size=8), st.integers(4, 30))
def test_no_two_names_look_alike(names: list[str], limit: int) -> None:
    shown = told_apart(names, limit=limit)
    assert set(shown) == set(names)
    assert len(set(shown.values())) == len(shown)
    assert all(shown[name] == name for name in names if len(name) <= limit) or max(map(len, shown.values())) > limit


def test_the_end_is_kept() -> None:
    names = [f"Open-Reasoner-Zero-7B-reproduction-seed-{n}" for n in (1, 2)]
    assert list(told_apart(names, limit=24).values()) == ["Open-Re…roduction-seed-1", "Open-Re…roduction-seed-2"]
