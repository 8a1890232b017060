"""Untrusted text as inert HTML: everything escaped, marks as spans, invisible characters made visible.

Input: a text and marks. Output: HTML for st.html, which (unlike st.markdown) parses no Markdown. No part of the text
becomes an element, an attribute or an address.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from app.markdown import CONTROL, HIDDEN

_CLASS = re.compile(r"[a-z][a-z0-9-]*")
_SPECIAL = re.compile(rf"[&<>\"']|{CONTROL.pattern}|{HIDDEN.pattern}")
"""What `escape` changes: most stretches of a text have none of it."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch `text[start:end]` that belongs to a layer."""

    start: int
    end: int
    layer: str
    """Becomes a CSS class: lower-case letters, digits, hyphens."""
    title: str = ""
    """Tooltip."""


def escape(text: str) -> str:
    """HTML that shows the text literally, with hidden and control characters made visible."""
    if _SPECIAL.search(text) is None:
        return text
    shown = CONTROL.sub(_control, html.escape(text, quote=True))
    return HIDDEN.sub(lambda found: f'<i class="hidden-char">U+{ord(found[0]):04X}</i>', shown)


def _control(found: re.Match[str]) -> str:
    code = ord(found[0])
    symbol = chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else f"U+{code:04X}"
    return f'<i class="hidden-char">{symbol}</i>'


def marked_html(text: str, marks: Iterable[Mark]) -> str:
    """The escaped text with a span around each marked stretch; marks may overlap.

    A stretch has the classes and the titles of all its marks, those that begin earlier first. O((n + m) log m).
    """
    kept = sorted(
        dict.fromkeys(mark for mark in marks if 0 <= mark.start < mark.end), key=lambda mark: (mark.start, -mark.end)
    )
    return "".join(_stretches(text, kept))


def _stretches(text: str, marks: Sequence[Mark]) -> Iterable[str]:
    borders = sorted({0, len(text)} | {min(at, len(text)) for mark in marks for at in (mark.start, mark.end)})
    active: list[Mark] = []
    waiting = 0
    for start, end in pairwise(borders):
        active = [mark for mark in active if mark.end > start]
        while waiting < len(marks) and marks[waiting].start <= start:
            active.append(marks[waiting])
            waiting += 1
        yield _stretch(escape(text[start:end]), active)


def _stretch(escaped: str, active: Sequence[Mark]) -> str:
    if not active:
        return escaped
    layers = dict.fromkeys(mark.layer for mark in active)
    titles = dict.fromkeys(mark.title for mark in active if mark.title)
    return f"{_opening(tuple(layers), tuple(titles))}{escaped}</span>"


@lru_cache(maxsize=4096)
def _opening(layers: tuple[str, ...], titles: tuple[str, ...]) -> str:
    """The beginning of a stretch; most of a text's have the same one."""
    assert all(_CLASS.fullmatch(layer) for layer in layers)
    titled = f' title="{html.escape("; ".join(titles), quote=True)}"' if titles else ""
    return f'<span class="{" ".join(layers)}"{titled}>'
