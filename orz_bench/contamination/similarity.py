"""How much of a text a completion repeats: exact match and ROUGE-L over words. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Similarity:
    """Of a completion and the rest that was hidden."""

    is_exact: bool
    """Whether the completion begins with all words of the rest."""
    rouge_l: float
    """F1 of the longest common subsequence, the completion cut to as many words: Lin 2004."""


def words(text: str) -> list[str]:
    """Words and signs in lower case; white space does not count."""
    return _WORD.findall(text.lower())


def similarity(completion: str, rest: str) -> Similarity:
    """How the completion agrees with the rest of the text."""
    wanted = words(rest)
    found = words(completion)[: len(wanted)]
    if not wanted or not found:
        return Similarity(is_exact=False, rouge_l=0.0)
    common = longest_common(found, wanted)
    return Similarity(is_exact=found == wanted, rouge_l=2 * common / (len(found) + len(wanted)))


def longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of bits at a time (Hyyrö 2004)."""
    masks: dict[str, int] = {}
    for place, word in enumerate(a):
        masks[word] = masks.get(word, 0) | 1 << place
    every = (1 << len(a)) - 1
    row = every
    for word in b:
        matched = row & masks.get(word, 0)
        row = (row + matched | row - matched) & every
    return (every & ~row).bit_count()
