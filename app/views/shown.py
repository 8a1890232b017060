"""Widgets that show a value which others can change as well: the address, a colleague, or another widget.

A browser sends the values of all widgets with every request, also those that are out of date without its knowing. Taken
for a choice, such an echo undoes what was done in between: it opened the previous rollout again when a key was pressed
faster than the page was drawn. So a widget keeps its key only while its own value is the one to show, otherwise a new
widget takes its place; and only a value that differs from the one that was drawn under a key is a choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from app.views.fragments import current_page

_DRAWN_ON = "shown:pages"
"""By key: the page on which the widget was drawn last."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A widget and what it is drawn with: pass `key` to it, and the result of `chosen` as what happens on a change."""

    key: str
    value: Any
    read: Callable[[Any], Any]

    def chosen(self, act: Callable[[Any], None]) -> Callable[[], None]:
        """A callback that calls `act` with the value that the reader has chosen; an echo of the one drawn is none."""

        def call() -> None:
            value = self.read(st.session_state[self.key])
            if not _is_same(value, self.value):
                act(value)

        return call


def showing(name: str, value: Any) -> Shown:
    """The widget `name`, drawn with this value."""
    shown = reading(name, value, read=_itself)
    # On another page it is another widget, which would start empty although the key still has its value here.
    page, drawn_on = current_page(), st.session_state.setdefault(_DRAWN_ON, {})
    is_new = shown.key not in st.session_state or drawn_on.get(shown.key, page) != page
    if is_new or st.session_state[shown.key] != value:
        st.session_state[shown.key] = value  # only then: it clears what is typed and not sent
    drawn_on[shown.key] = page
    return shown


def reading(name: str, value: Any, *, read: Callable[[Any], Any]) -> Shown:
    """The same for a widget whose state cannot be set: the value is what `read` finds in its state."""
    times = f"{name}:times"
    number = st.session_state.get(times, 0)
    key = _key(name, number)
    if key in st.session_state and not _is_same(read(st.session_state[key]), value):
        st.session_state[times] = number + 1
        key = _key(name, number + 1)
    return Shown(key, value, read)


def _itself(own: Any) -> Any:
    return own


def _is_same(a: Any, b: Any) -> bool:
    """Whether they are the same choice; the order in which several were chosen is none."""
    return set(a) == set(b) if isinstance(a, list) and isinstance(b, list) else bool(a == b)


def _key(name: str, number: int) -> str:
    return f"{name}:{number}" if number else name
