"""The address of a page is its state: widgets are set from it and write to it; faults in it are shown on the page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import streamlit as st

from app import url
from app.markdown import escaped
from app.queries.filters import Filters
from app.queries.keys import RowKey, key_of, key_text

State = TypeVar("State")

ROW, PAGE, LAYER = "row", "page", "layer"
"""Parameters besides those of the filters: the open rollout, the page of the list, the layers that are on."""
LEFT, RIGHT = "left", "right"
"""The two rollouts that the page Question compares."""
ROWS = (ROW, PAGE, LEFT, RIGHT)
"""Parameters that mean rollouts of one run, or places in its list."""


def parameters() -> dict[str, list[str]]:
    """The parameters of the address, each with all of its values."""
    return {name: st.query_params.get_all(name) for name in st.query_params}


def read_state(kind: type[State]) -> State:
    """The state in the address; draws a warning for each parameter that is invalid."""
    found = url.read(kind, parameters())
    for fault in found.faults:
        st.warning(escaped(fault))
    return found.state


def write_state(kind: type[Any], **changes: Any) -> None:
    """Change fields of the state; parameters of other states stay."""
    for name, values in url.changed(kind, parameters(), **changes).items():
        put(name, values)


def write_filters(kind: type[Filters], **changes: Any) -> None:
    """Change filters; the list starts at its first page, and no rollout is open."""
    write_state(kind, **changes)
    put(PAGE, None)
    put(ROW, None)


def clear_filters() -> None:
    """Set every filter to its default."""
    for name in (*Filters.__dataclass_fields__, PAGE, ROW):
        put(name, None)


def value(name: str) -> str:
    """The last value of a parameter; empty without one."""
    return (st.query_params.get_all(name) or [""])[-1]


def put(name: str, given: Sequence[str] | str | None) -> None:
    """Set a parameter; None or no values removes it."""
    if not given:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = list(given) if not isinstance(given, str) else given


def row() -> RowKey | None:
    """The open rollout."""
    return key_of(value(ROW))


def put_row(key: RowKey | None) -> None:
    """Open a rollout."""
    put(ROW, key_text(key) if key else None)


def page() -> int | None:
    """The page of the list, from 0; None where the address names none."""
    text = value(PAGE)
    return max(int(text) - 1, 0) if text.isascii() and text.isdigit() and len(text) < 10 else None


def put_page(number: int) -> None:
    """Turn to a page, from 0."""
    put(PAGE, str(number + 1))


def layers(known: Sequence[str], *, default: Sequence[str]) -> list[str]:
    """The layers that are on: those in the address, else the default; `none` in the address means no layer."""
    named = st.query_params.get_all(LAYER)
    return [name for name in known if name in (named or default)]


def put_layers(on: Sequence[str], *, default: Sequence[str]) -> None:
    """Switch layers."""
    put(LAYER, None if list(on) == list(default) else (list(on) or ["none"]))
