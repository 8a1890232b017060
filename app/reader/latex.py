"""A question as Markdown that renders only its mathematics: no HTML, link, image, list or heading.

Input: any text. Output: Markdown for st.markdown. Outside mathematics every ASCII punctuation mark is escaped; inside,
KaTeX (which Streamlit runs without trust) shows commands for links and images as text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.markdown import unlinked

MAX_CHARS = 20_000
"""Of longer questions, this much is shown as plain text."""
_MATH = re.compile(
    r"\$\$(?P<a>[^$]{1,4000})\$\$|\\\[(?P<b>(?:[^\\$]|\\[^\[\]]){1,4000})\\\]"
    r"|\\\((?P<c>(?:[^\\$]|\\[^()]){1,4000})\\\)|\$(?P<d>[^\s$](?:[^$\n]{0,2000}[^\s$\\])?)\$(?!\d)"
)
"""A formula ends at a second opening of its kind, so that the search is linear in the length of the text."""
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BLANK_START = re.compile(r"(?<=\n)[ \t]+")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def question_markdown(text: str) -> str:
    """The question with `$...$`, `$$...$$`, `\\(...\\)` and `\\[...\\]` as mathematics, and the rest as plain text."""
    shown = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))
    if len(shown) > MAX_CHARS:
        return plain_markdown(shown[:MAX_CHARS]) + "…"
    return "".join(_pieces(shown))


def plain_markdown(text: str) -> str:
    """Markdown that shows the text literally, with its line breaks."""
    start = text[: len(text) - len(text.lstrip(" \t"))]
    return "\u00a0" * len(start) + _plain(text[len(start) :])


def _plain(text: str) -> str:
    """The same for text that does not start a line."""
    escaped = _PUNCTUATION.sub(r"\\\1", unlinked(text))
    indented = _BLANK_START.sub(lambda found: "\u00a0" * len(found[0]), escaped)
    return indented.replace("\n", "  \n")


def _pieces(text: str) -> Iterator[str]:
    at = 0
    for found in _MATH.finditer(text):
        before = text[at : found.start()]
        yield _plain(before) if at else plain_markdown(before)
        is_block = found["a"] is not None or found["b"] is not None
        inside = " ".join((found["a"] or found["b"] or found["c"] or found["d"]).split())
        yield (f"\n\n$$\n{inside}\n$$\n\n" if is_block else f"${inside}$") if inside else ""
        at = found.end()
    yield _plain(text[at:]) if at else plain_markdown(text)
