"""The choice of questions by what the benchmark says about them: subject, level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from app.markdown import escaped, plain
from app.views.shown import showing


def facts_choice(
    values: Mapping[str, Sequence[str]], chosen: Sequence[str], *, name: str, write: Callable[[tuple[str, ...]], None]
) -> None:
    """Draw it, with `chosen` as `field=value`; nothing where the questions have no such fields."""
    options = [f"{field}={value}" for field, found in values.items() for value in found]
    for text in [one for one in chosen if one not in options][:3]:
        st.warning(escaped(f"about={text[:120]!r} in the address is none of the kinds of questions below."))
    if not options and not chosen:
        return
    shown = showing(name, list(chosen))
    st.multiselect(
        "Kind of question", [*options, *(one for one in chosen if one not in options)], key=shown.key,
        placeholder=f"any {plain(' or '.join(list(values)[:2]))}" if values else "any", wrap=True, select_all=False,
        format_func=lambda option: plain(option.replace("=", " ", 1)),
        on_change=shown.chosen(lambda texts: write(tuple(texts))),
    )  # fmt: skip
