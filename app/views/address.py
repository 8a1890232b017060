"""The address of a page is its state: widgets are set from it and write to it; faults in it are shown on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from app import url
from app.markdown import escaped
from app.queries.filters import Filters
from app.queries.keys import RowKey, key_of, key_text
from app.queries.sides import Side, side_of, side_text
from app.views import written
from orz_bench.errors import counted

State = TypeVar("State")

RUN = "run"
"""The runs; SHOWN_RUN is the key of the session for the one that is shown where the address names none."""
SHOWN_RUN = "address:shown-run"
ROW, PAGE, LAYER = "row", "page", "layer"
"""Parameters besides those of the filters: the open rollout, the page of the list, the layers that are on."""
LEFT, RIGHT = "left", "right"
"""The two rollouts that the page Question compares."""
BENCHMARK, PROBLEM, SORT, FIND, SOLVED = "bench", "problem", "sort", "find", "solved"
"""The question of the page Question, the order and the search in its list, and what solved means there."""
AT, DIFFERING = "at", "differing"
"""Checkpoints of any runs that the page Question compares, and whether those of different protocols are compared."""
PART = "part"
"""The part of a long response whose formulas are drawn."""
CRITIC = "critic"
"""Whose values the reader shows, where several critics have assessed a response: a digest."""
JUDGE = "judge"
"""Whether the form for the verdict of the open rollout is open too."""
MAX_SIDES = 7
"""The number of colours."""
ROWS = (ROW, PAGE, LEFT, RIGHT, JUDGE, PART)
"""Parameters that mean rollouts of one run, or places in its list."""


def parameters() -> dict[str, list[str]]:
    """The parameters of the address, each with all of its values."""
    now = {name: st.query_params.get_all(name) for name in st.query_params}
    newer = written.replacement(now)
    if newer is None:
        return now
    st.query_params.from_dict({name: list(values) for name, values in newer.items()})
    return {name: list(values) for name, values in newer.items()}


def all_of(name: str) -> list[str]:
    """All values of a parameter."""
    return parameters().get(name, [])


def read_state(kind: type[State]) -> State:
    """The state in the address; draws a warning for each parameter that is invalid."""
    found = url.read(kind, parameters())
    for fault in found.faults:
        st.warning(escaped(fault))
    return found.state


def write_state(kind: type[Any], **changes: Any) -> None:
    """Change fields of the state; parameters of other states stay."""
    put_all(url.changed(kind, parameters(), **changes))


def write_filters(kind: type[Filters], **changes: Any) -> None:
    """Change filters; the list starts at its first page, and no rollout is open."""
    put_all(url.changed(kind, parameters(), **changes) | {PAGE: [], ROW: []})


def clear_filters() -> None:
    """Set every filter to its default."""
    put_all({name: [] for name in (*Filters.__dataclass_fields__, PAGE, ROW)})


def put_all(changes: Mapping[str, Sequence[str]]) -> None:
    """Set these parameters at once, so that Back never leads to an address in between; no values remove one.

    What is written is about the run that is shown: the address names it, also where it was the newest one by default.
    """
    before, shown = parameters(), st.session_state.get(SHOWN_RUN)
    after = {name: list(values) for name, values in (before | dict(changes)).items() if values}
    if shown and RUN not in after and after != before:
        after[RUN] = [shown]
    if after != before:
        written.note(before, after)
        st.query_params.from_dict(after)


def value(name: str) -> str:
    """The last value of a parameter; empty without one."""
    return (all_of(name) or [""])[-1]


def put(name: str, given: Sequence[str] | str | None) -> None:
    """Set a parameter; None or no values removes it."""
    put_all({name: [given] if isinstance(given, str) and given else list(given or ())})


def single(name: str) -> str:
    """The last value of a parameter; draws a warning where there are several."""
    if (number := len(all_of(name))) > 1:
        st.warning(f"{name} is in the address {counted(number, 'time')}; the last one is used.")
    return value(name)


def one_of(name: str, known: Sequence[str]) -> str:
    """The parameter, by default the first of these; draws a warning for another one."""
    given = single(name)
    if given and given not in known:
        st.warning(escaped(f"{name}={given[:60]!r} in the address: wanted one of {', '.join(known)}."))
    return given if given in known else known[0]


def row(name: str = ROW) -> RowKey | None:
    """The open rollout, or another in the address; draws a warning for what names none."""
    given = value(name)
    found = key_of(given)
    if given and found is None:
        st.warning(escaped(f"{name}={given[:60]!r} in the address names no rollout; open one from the list."))
    return found


def sides(*, is_said: bool = True) -> list[Side]:
    """The checkpoints that are compared; draws a warning for what names none unless that is said already."""
    given = list(dict.fromkeys(all_of(AT)))
    found = [side for text in given if (side := side_of(text)) is not None]
    if is_said:
        _say_sides(given, found)
    return found[:MAX_SIDES]


def _say_sides(given: Sequence[str], found: Sequence[Side]) -> None:
    wrong = [text for text in given if side_of(text) is None]
    for text in wrong[:3]:
        st.warning(escaped(f"at={text[:120]!r} in the address: wanted RUN@STEP~PROTOCOL, as in the list below."))
    if left_out := found[MAX_SIDES:]:
        st.warning(
            f"The address names {counted(len(found), 'checkpoint')}; the first {MAX_SIDES} are used, not "
            f"{len(left_out)} more."
        )


def put_sides(sides: Sequence[Side]) -> None:
    """Compare these checkpoints."""
    put(AT, [side_text(side) for side in sides])


def is_on(name: str) -> bool:
    """A switch in the address; draws a warning for what is neither 0 nor 1."""
    return one_of(name, ("0", "1")) == "1"


def put_row(key: RowKey | None, *, on_page: int | None = None) -> None:
    """Open a rollout, which is on that page of the list, from 0."""
    turned = {} if on_page is None else {PAGE: [str(on_page + 1)]}
    put_all({ROW: [key_text(key)] if key else [], PART: [], JUDGE: []} | turned)


def page() -> int | None:
    """The page of the list, from 0; None where the address names none. Draws a warning for what is no page."""
    number = _from_one(PAGE)
    return None if number is None else number - 1


def page_of(total: int, *, page_rows: int, usual: int = 0) -> int:
    """The page of a list of so many rows, from 0; draws a warning for one after the last, which is shown instead."""
    last, named = max(total - 1, 0) // page_rows, page()
    number = usual if named is None else named
    if number > last:
        st.warning(f"The address names page {number + 1:,}; the list has {last + 1:,}, and this is the last one.")
    return min(number, last)


def part() -> int:
    """The part of a long response, from 1. Draws a warning for what is no part."""
    return _from_one(PART) or 1


def _from_one(name: str) -> int | None:
    text = single(name)
    if text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0:
        return int(text)
    if text:
        st.warning(escaped(f"{name}={text[:60]!r} in the address: wanted a whole number from 1."))
    return None


def put_page(number: int) -> None:
    """Turn to a page, from 0."""
    put(PAGE, str(number + 1))


def layers(known: Sequence[str], *, default: Sequence[str]) -> list[str]:
    """The layers that are on: those in the address, else the default; `none` in the address means no layer.

    Layers that this rollout does not have are named; where the address has no others, the default is used.
    """
    named = all_of(LAYER)
    if unknown := [name for name in named if name not in (*known, "none")]:
        st.warning(escaped(f"layer={unknown[0][:60]!r} in the address: this rollout has {', '.join(known)}, or none."))
    wanted = [name for name in named if name in (*known, "none")] or default
    return [name for name in known if name in wanted]


def put_layers(on: Sequence[str], *, default: Sequence[str]) -> None:
    """Switch layers."""
    put(LAYER, None if list(on) == list(default) else (list(on) or ["none"]))
