"""Word differences of two texts, as marks on both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from app.reader.markup import Mark

MAX_WORDS = 4000
"""Number of words of each text that are compared: the rest is unmarked, and `is_whole` is False."""
_WORD = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Marks on the two texts: `removed` on the left one, `added` on the right one."""

    left: tuple[Mark, ...]
    right: tuple[Mark, ...]
    similarity: float
    """2 x shared words / all compared words, 0 to 1."""
    is_whole: bool
    """False if a text was too long to be compared as a whole."""


def differences(left: str, right: str) -> Differences:
    """The word differences of two texts; spaces alone are not differences."""
    words = [list(_WORD.finditer(text[: 40 * MAX_WORDS])) for text in (left, right)]
    is_whole = all(
        len(found) <= MAX_WORDS and len(text) <= 40 * MAX_WORDS
        for found, text in zip(words, (left, right), strict=True)
    )
    ours, theirs = (found[:MAX_WORDS] for found in words)
    matcher = SequenceMatcher(None, [_same(word[0]) for word in ours], [_same(word[0]) for word in theirs])
    removed: list[Mark] = []
    added: list[Mark] = []
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind != "equal":
            removed += _mark(ours[i:j], "removed")
            added += _mark(theirs[k:m], "added")
    return Differences(left=tuple(removed), right=tuple(added), similarity=matcher.ratio(), is_whole=is_whole)


def _same(word: str) -> str:
    return " " if word.isspace() else word


def _mark(words: list[re.Match[str]], layer: str) -> list[Mark]:
    return [Mark(words[0].start(), words[-1].end(), layer)] if any(not word[0].isspace() for word in words) else []
