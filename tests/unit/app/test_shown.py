"""What a browser says of a widget is a choice only if it differs from what was drawn."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from hypothesis import given
from hypothesis import strategies as some

from app.views.shown import reading, showing


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(st, "session_state", found)
    return found


def test_a_choice_is_heard_and_keeps_the_widget(state: dict[str, Any]) -> None:
    heard: list[object] = []
    first = showing("name", 1)
    state[first.key] = 2
    first.chosen(heard.append)()
    assert heard == [2]
    assert showing("name", 2).key == first.key


def test_a_value_is_set_once(state: dict[str, Any]) -> None:
    """A browser that is told a value again clears what is typed into the widget and not sent."""
    first = showing("name", ["a", "b"])
    chosen = state[first.key] = ["a", "b", "c"]
    showing("name", ["a", "b", "c"])
    assert state[first.key] is chosen


def test_what_others_changed_is_shown_by_a_new_widget_and_an_echo_of_the_old_one_is_no_choice(
    state: dict[str, Any],
) -> None:
    heard: list[object] = []
    first = showing("name", 1)
    second = showing("name", 2)
    assert second.key != first.key
    first.chosen(heard.append)()
    second.chosen(heard.append)()
    assert heard == []
    state[first.key] = 3  # a click on what the browser still shows
    first.chosen(heard.append)()
    assert heard == [3]


def test_the_order_of_several_choices_is_none(state: dict[str, Any]) -> None:
    heard: list[object] = []
    shown = showing("name", ["a", "b"])
    state[shown.key] = ["b", "a"]
    shown.chosen(heard.append)()
    assert heard == []
    assert showing("name", ["a", "b"]).key == shown.key
    assert state[shown.key] == ["a", "b"]


def test_a_widget_whose_state_is_only_read(state: dict[str, Any]) -> None:
    def first_row(own: dict[str, list[int]]) -> int | None:
        return next(iter(own["rows"]), None)

    shown = reading("list", 4, read=first_row)
    state[shown.key] = {"rows": [4]}  # as the browser draws it
    assert reading("list", 4, read=first_row).key == shown.key
    assert reading("list", 5, read=first_row).key != shown.key


class Browser:
    """One that sends the value of the widget that it last drew, and draws late.

    As in Streamlit, a value is a change when it is not the one that the server knows of that widget.
    """

    def __init__(self) -> None:
        self.drawn: tuple[str, int] | None = None

    def send(self, state: dict[str, Any]) -> str | None:
        """The key of the widget that it says to have changed."""
        if self.drawn is None:
            return None
        key, value = self.drawn
        has_changed = state.get(key) != value
        state[key] = value
        return key if has_changed else None


@given(some.lists(some.tuples(some.sampled_from(["click", "key"]), some.integers(0, 4), some.booleans()), max_size=30))
def test_the_last_choice_holds_however_late_the_browser_draws(events: list[tuple[str, int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        state: dict[str, Any] = {}
        patch.setattr(st, "session_state", state)
        address, browser, known = 0, Browser(), {}
        for what, value, has_drawn in events:
            shown = showing("name", address)
            known[shown.key] = shown
            if has_drawn:
                browser.drawn = (shown.key, shown.value)
            if what == "click" and browser.drawn is not None:
                browser.drawn = (browser.drawn[0], value)
            heard: list[int] = []
            key = browser.send(state)
            if key is not None:
                known[key].chosen(heard.append)()
            if what == "key":
                assert heard == []
                address = value
            elif heard:
                address = value


def test_every_widget_of_the_app_listens_through_it() -> None:
    """A callback of its own would take an echo for a choice."""
    found = [
        f"{path.name}: {ast.unparse(node.value)}"
        for path in sorted((Path(__file__).parents[3] / "app").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.keyword) and node.arg == "on_change"
    ]
    assert found
    assert [text for text in found if ".chosen(" not in text and not text.endswith(": change")] == []
