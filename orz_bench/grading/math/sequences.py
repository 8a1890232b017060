"""Sequences with an ellipsis and numbers with a base: what Math-Verify's reader drops is compared as text."""

from __future__ import annotations

import re

_ELLIPSIS = re.compile(r"\\[lcd]?dots[a-z]?(?![a-zA-Z])|\.\.\.+|\u2026")
_BASE = re.compile(r"\(?[0-9A-Z]+\)?_\{?(?:\\text\{)?([0-9]{1,2})\}*")
_OPENING, _CLOSING = "([{", ")]}"


def bases_differ(gold: str, answer: str) -> bool:
    """Whether both are numbers with a base, such as 52_8, and the bases differ."""
    bases = [match.group(1) for text in (gold, answer) if (match := _BASE.fullmatch(text.replace(" ", "")))]
    return len(set(bases)) == 2


def has_ellipsis(text: str) -> bool:
    """Whether the text contains an ellipsis."""
    return _ELLIPSIS.search(text) is not None


def terms(text: str) -> list[str]:
    """The terms of a sequence with the ellipsis as one of them: 1,2,...,n gives 1 | 2 | ... | n."""
    found = [""]
    depth = 0
    for char in _ELLIPSIS.sub("\u2026", text):
        depth += (char in _OPENING) - (char in _CLOSING)
        if char == "," and depth == 0:
            found.append("")
        else:
            found[-1] += char
    return [term.strip() for term in found]
