"""A page of a list of places in a file of a curated set, as a table; a click opens one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from app.curated.tables import Places
from app.views import address
from app.views.rollout_list import PAGE_ROWS, ROW_PX, chosen_row, pager
from app.views.shown import reading

NAMES = ("id", "pair")
"""Parameters that mean one thing of the list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a list shows, and how a place is named in the address."""

    name: str
    """The parameter with the open one."""
    places: Places
    current: int | None
    """The open place."""
    page: int | None
    """The page in the address, from 0."""

    @property
    def at(self) -> int | None:
        """Where the open one is in the list."""
        if self.current is None:
            return None
        found = np.flatnonzero(self.places == self.current)
        return int(found[0]) if len(found) else None

    def neighbour(self, step: int) -> int | None:
        """The place before or behind the open one; the first without one."""
        at = self.at
        wanted = 0 if at is None else at + step
        return int(self.places[wanted]) if 0 <= wanted < len(self.places) else None

    def page_of(self, place: int) -> int:
        """The page of a place, from 0."""
        return int(np.flatnonzero(self.places == place)[0]) // PAGE_ROWS


def as_listed(name: str, places: Places, *, named: str, current: int | None) -> Listed:
    """The list as the address has it. Where that names none (`named` is empty), the first of the page is open."""
    page = address.page()
    if not named and len(places):
        current = int(places[min(page or 0, (len(places) - 1) // PAGE_ROWS) * PAGE_ROWS])
    return Listed(name=name, places=places, current=current, page=page)


def draw_list(
    listed: Listed, *, frame: Callable[[Sequence[int]], tuple[Sequence[str], pd.DataFrame]], columns: Mapping[str, Any]
) -> None:
    """Draw the page in the address. `frame`: places -> the names that open them, and the table."""
    last = max(len(listed.places) - 1, 0) // PAGE_ROWS
    number = listed.page if listed.page is not None else (listed.at or 0) // PAGE_ROWS
    if number > last:
        st.warning(f"The address names page {number + 1:,}; the list has {last + 1:,}, and this is the last one.")
        number = last
    places = listed.places[number * PAGE_ROWS : (number + 1) * PAGE_ROWS].tolist()
    names, table = frame(places)
    here = places.index(listed.current) if listed.current in places else None
    shown = reading(f"{listed.name}:list:{hash(tuple(places))}", here, read=chosen_row)

    def opens(place: int | None) -> None:
        if place is not None and place < len(names):
            address.put_all({listed.name: [names[place]], address.PAGE: [str(number + 1)]})

    st.dataframe(
        table, key=shown.key, on_select=shown.chosen(opens), selection_mode=["single-row", "single-cell"],
        selection_default={"selection": {"rows": [] if here is None else [here], "columns": [], "cells": []}},
        hide_index=True, height=max(len(table), 1) * ROW_PX + 40, row_height=ROW_PX, column_config=dict(columns),
    )  # fmt: skip
    pager(number, len(listed.places))


def neighbours(listed: Listed, name_of: Callable[[int], str]) -> None:
    """Draw the buttons that open the previous and the next one."""

    def button(label: str, *, step: int, key: str, icon: str) -> None:
        place = listed.neighbour(step)
        st.button(
            label, icon=icon, key=f"{listed.name}:{label}", shortcut=key, disabled=place is None,
            on_click=lambda: open_place(listed, place, name_of=name_of),
        )  # fmt: skip

    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        button("Previous", step=-1, key="k", icon=":material/arrow_upward:")
        button("Next", step=1, key="j", icon=":material/arrow_downward:")
        if listed.at is not None:
            st.caption(f"{listed.at + 1:,} of {len(listed.places):,}", width="content")


def open_place(listed: Listed, place: int | None, *, name_of: Callable[[int], str]) -> None:
    """Open it, and turn the list to its page."""
    if place is not None:
        address.put_all({listed.name: [name_of(place)], address.PAGE: [str(listed.page_of(place) + 1)]})


def change_filters(kind: type[Any], **changes: Any) -> None:
    """Change filters; the list starts at its first page, and nothing is open."""
    address.write_state(kind, **changes, **dict.fromkeys(NAMES, ""))
    address.put(address.PAGE, None)
