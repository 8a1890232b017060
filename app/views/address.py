"""The address of a page is its state: widgets are set from it, and write to it when they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import streamlit as st

from app import url
from app.queries.filters import Filters
from app.queries.keys import RowKey, key_of, key_text

ROW, PAGE, LAYER = "row", "page", "layer"
"""Parameters beside those of the filters: the open rollout, the page of the list, the layers that are on."""


def values(name: str) -> list[str]:
    """All values of a parameter."""
    return list(st.query_params.get_all(name))


def put(name: str, value: Sequence[str] | str | None) -> None:
    """Set a parameter, or (None, or no values) take it out."""
    if not value:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = list(value) if not isinstance(value, str) else value


def filters(kind: type[Filters]) -> Filters:
    """The filters of the address."""
    return url.read(kind, {field.name: values(field.name) for field in fields(kind)}).state


def put_filters(changed: Filters) -> None:
    """Write filters into the address; the list begins anew and no rollout is open."""
    found = url.parameters(changed)
    for field in fields(changed):
        put(field.name, found.get(field.name))
    put(PAGE, None)
    put(ROW, None)


def row() -> RowKey | None:
    """The open rollout."""
    return key_of((values(ROW) or [""])[-1])


def put_row(key: RowKey | None) -> None:
    """Open a rollout."""
    put(ROW, key_text(key) if key else None)


def page() -> int | None:
    """The page of the list, from 0; None where the address names none."""
    text = (values(PAGE) or [""])[-1]
    return max(int(text) - 1, 0) if text.isascii() and text.isdigit() and len(text) < 10 else None


def put_page(number: int) -> None:
    """Turn to a page, from 0."""
    put(PAGE, str(number + 1))


def layers(known: Sequence[str], *, default: Sequence[str]) -> list[str]:
    """The layers that are on: those of the address, else the default; `none` is an address's word for no layer."""
    named = values(LAYER)
    return [name for name in known if name in (named or default)]


def put_layers(on: Sequence[str], *, default: Sequence[str]) -> None:
    """Switch layers."""
    put(LAYER, None if list(on) == list(default) else (list(on) or ["none"]))
