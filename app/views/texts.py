"""Model text on a page, limited in length, with its layers; the rest is shown on request or downloaded."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import streamlit as st

from app.queries.rows import Row, Text
from app.reader.latex import question_markdown
from app.reader.long_text import long_html, outline_html
from app.reader.markup import Mark, escape
from app.reader.outline import Fold, Place, chapters
from app.views import address
from app.views.address import PART
from app.views.colours import css_class, words
from app.views.shown import showing

WHOLE_CHARS = 200_000
"""Texts of at most so many characters are shown as a whole: more than 32,000 tokens of most texts."""
SHOWN_CHARS = 30_000
"""Characters of longer ones that are shown before "Show all"."""
FORMULA_CHARS = 16_000
"""Characters whose formulas are drawn at once."""
LONG_QUESTION_CHARS = 900
FACT_CHARS = 2_000
"""Of a fact in a chip, such as a gold or an id; the exports have the whole one."""
MOST_CHARS = 400_000
"""Characters shown at most, because browsers become slow. The rest can be downloaded."""


def num_shown(text: str) -> int:
    """The number of characters that are shown at first."""
    return len(text) if len(text) <= WHOLE_CHARS else SHOWN_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlined:
    """Places and folds of a text."""

    places: Sequence[Place] = ()
    folds: Sequence[Fold] = ()


def show_text(
    text: str, marks: Iterable[Mark], *, key: str, file_name: str, outlined: Outlined | None = None
) -> None:  # fmt: skip
    """Show a text with its marks; a very long one is cut, with a switch and a download. An outline has jumps."""
    limit = num_shown(text)
    if limit < len(text):
        shown_length, all_of_it, download = st.columns([3, 1, 1], vertical_alignment="center")
        is_all = all_of_it.toggle("Show all", key=f"all:{key}")
        limit = MOST_CHARS if is_all else SHOWN_CHARS
        shown_length.caption(f"The first {min(limit, len(text)):,} of {len(text):,} characters.")
        download.download_button(
            "Download",
            text.encode("utf-8", "replace"),
            file_name,
            "text/plain",
            key=f"download:{key}",
            on_click="ignore",
        )
    shown = text[:limit]
    cut = [mark for mark in marks if mark.start < limit]
    found = outlined or Outlined()
    places = [place for place in found.places if place.start < len(shown)]
    name = f"at-{zlib.crc32(key.encode()):x}"
    if places:
        st.html(outline_html(places, name=name))
    inside = long_html(shown, cut, places=places, folds=found.folds, name=name)
    st.html(f'<div class="orz-text" tabindex="0">{inside}{"…" if len(text) > limit else ""}</div>')


def show_formulas(text: str) -> None:
    """Show a text with its formulas, as a question is shown: nothing else in it is rendered. Long ones in parts."""
    parts = chapters(text, chars=FORMULA_CHARS)
    part = address.part()
    if part > len(parts):
        st.warning(f"The address names part {part:,}; the response has {len(parts):,}, and this is the last one.")
        part = len(parts)
    if len(parts) > 1:
        shown = showing("reader:part", part)
        st.pagination(len(parts), key=shown.key, on_change=shown.chosen(lambda number: address.put(PART, str(number))))
    start, end = parts[part - 1]
    with st.container(border=True, height=480):
        st.markdown(question_markdown(text[start:end]), unsafe_allow_html=False)


def show_dropped() -> None:
    """Say that a response's text is no longer there."""
    st.info("The text of this response is not stored: the run drops texts of old steps (`rollouts.keep`).")


def show_question(text: str) -> None:
    """Show a question in a frame with its mathematics; nothing else in it is rendered. A long one scrolls."""
    is_long = len(text) > LONG_QUESTION_CHARS or text.count("\n") > 8
    with st.container(border=True, gap="small", height=230 if is_long else "content"):
        st.markdown(question_markdown(text), unsafe_allow_html=False)


def show_facts(facts: Sequence[tuple[str, str, str]]) -> None:
    """Show chips of (name, value, class); values are escaped, and cut after FACT_CHARS."""
    chips = (f'<span class="{style}">{_name(name)}<b>{escape(_cut(value))}</b></span>' for name, value, style in facts)
    st.html(f'<div class="orz-facts">{"".join(chips)}</div>')


def _cut(value: str) -> str:
    return value if len(value) <= FACT_CHARS else f"{value[:FACT_CHARS]}…"


def _name(name: str) -> str:
    return f'<span class="name">{escape(name)}</span>' if name else ""


def show_answers(row: Row, text: Text) -> None:
    """Show the gold, the extracted answer, the second extractor's answer, and the reason for the verdict."""
    lines = [
        ("gold", _or_none(text.gold or None), ""),
        ("extracted", _extracted(row, text), css_class(row.verdict)),
    ]
    if text.second_extractor:
        is_all = text.completion and text.second_extracted == text.completion  # under rules that read all of it
        answer = "the whole response" if is_all else _or_none(text.second_extracted)
        second = f"{answer} ({words(text.second_verdict)})"
        lines.append((f"by {text.second_extractor}", second, css_class(text.second_verdict)))
    if text.why:
        lines.append((f"{words(row.verdict)} because", text.why, ""))
    cells = (
        f'<div><span class="name">{escape(name)}</span> <span class="{style}">{escape(_cut(value))}</span></div>'
        for name, value, style in lines
    )
    st.html(f'<div class="orz-answers">{"".join(cells)}</div>')


def _extracted(row: Row, text: Text) -> str:
    """A dash where a response was judged by an answer that was not stored, as in files of other tools."""
    is_unknown = text.extracted is None and row.verdict in ("correct", "wrong")
    return "–" if is_unknown else _or_none(text.extracted)


def _or_none(value: str | None) -> str:
    return "none" if value is None else value
