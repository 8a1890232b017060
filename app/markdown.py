"""Shows external text, such as names of runs, literally: in our Markdown, and in cells and choices."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@=^])")
_AUTOLINK = re.compile(r"(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)(?=[\w\\-]+\.[\w\\-])", re.IGNORECASE)
HIDDEN = re.compile(
    "[\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\U000e0000-\U000e007f\ud800-\udfff]"
)
"""Directional marks and invisible characters: shown by number, because they reorder or hide their neighbours."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def plain(text: str) -> str:
    """The text on one line, for cells and choices: characters that reorder or hide their neighbours by number."""
    line = " ".join(text.split())
    return HIDDEN.sub(_number, CONTROL.sub(_number, line))


def _number(found: re.Match[str]) -> str:
    return f"\u27e8U+{ord(found[0]):04X}\u27e9"


def escaped(text: str) -> str:
    """Markdown that shows exactly this text on one line: no emphasis, link, image, HTML, formula, icon or colour."""
    return escaped_exactly(unlinked(plain(text)))


def unlinked(text: str) -> str:
    """The text with an invisible word joiner wherever Markdown would make a link of a bare address, escaped or not."""
    return _AUTOLINK.sub("\u2060", text)


def escaped_exactly(text: str) -> str:
    """For Markdown in files: without its backslashes it is the text again, and a reader may link addresses in it."""
    return _SPECIAL.sub(r"\\\1", text)
