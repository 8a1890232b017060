"""Model text on a page, limited in length, with its layers; the rest is shown on request or downloaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import streamlit as st

from app.queries.rows import Row, Text
from app.reader.latex import question_markdown
from app.reader.markup import Mark, escape, marked_html
from app.views.colours import css_class, words

SHOWN_CHARS = 30_000
"""Characters shown before "Show all"."""
LONG_QUESTION_CHARS = 900
MOST_CHARS = 400_000
"""Characters shown at most, because browsers become slow. The rest can be downloaded."""


def show_text(text: str, marks: Iterable[Mark], *, key: str, file_name: str) -> None:
    """Show a text with its marks; a long one is cut, with a switch and a download."""
    limit = SHOWN_CHARS
    if len(text) > SHOWN_CHARS:
        shown_length, all_of_it, download = st.columns([3, 1, 1], vertical_alignment="center")
        is_all = all_of_it.toggle("Show all", key=f"all:{key}")
        limit = MOST_CHARS if is_all else SHOWN_CHARS
        shown_length.caption(f"The first {min(limit, len(text)):,} of {len(text):,} characters.")
        download.download_button(
            "Download", text.encode("utf-8", "replace"), file_name, "text/plain", on_click="ignore"
        )
    shown = text[:limit]
    cut = [mark for mark in marks if mark.start < limit]
    st.html(f'<div class="orz-text" tabindex="0">{marked_html(shown, cut)}{"…" if len(text) > limit else ""}</div>')


def show_dropped() -> None:
    """Say that a response's text is no longer there."""
    st.info("The text of this response is not stored: the run drops texts of old steps (`rollouts.keep`).")


def show_question(text: str) -> None:
    """Show a question in a frame with its mathematics; nothing else in it is rendered. A long one scrolls."""
    is_long = len(text) > LONG_QUESTION_CHARS or text.count("\n") > 8
    with st.container(border=True, gap="small", height=230 if is_long else "content"):
        st.markdown(question_markdown(text), unsafe_allow_html=False)


def show_facts(facts: Sequence[tuple[str, str, str]]) -> None:
    """Show chips of (name, value, class); values are escaped."""
    chips = (f'<span class="{style}">{_name(name)}<b>{escape(value)}</b></span>' for name, value, style in facts)
    st.html(f'<div class="orz-facts">{"".join(chips)}</div>')


def _name(name: str) -> str:
    return f'<span class="name">{escape(name)}</span>' if name else ""


def show_answers(row: Row, text: Text) -> None:
    """Show the gold, the extracted answer, the second extractor's answer, and the reason for the verdict."""
    lines = [
        ("gold", _or_none(text.gold or None), ""),
        ("extracted", _or_none(text.extracted), css_class(row.verdict)),
    ]
    if text.second_extractor:
        second = f"{_or_none(text.second_extracted)} ({words(text.second_verdict)})"
        lines.append((f"by {text.second_extractor}", second, css_class(text.second_verdict)))
    if text.why:
        lines.append((f"{words(row.verdict)} because", text.why, ""))
    cells = (
        f'<div><span class="name">{escape(name)}</span> <span class="{style}">{escape(value[:2000])}</span></div>'
        for name, value, style in lines
    )
    st.html(f'<div class="orz-answers">{"".join(cells)}</div>')


def _or_none(value: str | None) -> str:
    return "none" if value is None else value
