"""What a response's text looks like: reflection keywords, format, repetition. Pure functions of text, used in training
and in analysis alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

# Open-Reasoner-Zero's code, case-sensitive as there ("Wait," does not count).
REFLECTION_PATTERNS = tuple(
    re.compile(pattern) for pattern in (r"wait,", r"recheck[,\s]", r"retry", r"alternatively,", r"however,")
)
_UNTAGGED = r"(?:(?!</?think>|</?answer>).)*"
_FORM = re.compile(rf"{_UNTAGGED}</think>\s*<answer>{_UNTAGGED}</answer>\s*", re.DOTALL)
_CHUNK_CHARS = 1_000_000

Array = np.ndarray[Any, Any]


def count_reflections(text: str) -> int:
    """Matches of all of Open-Reasoner-Zero's reflection patterns."""
    return sum(len(pattern.findall(text)) for pattern in REFLECTION_PATTERNS)


def keeps_format(text: str) -> bool:
    """Whether a response (it follows `<think>`) is reasoning, one `</think>`, one answer block, and nothing after."""
    return _FORM.fullmatch(text) is not None


def repetition_scores(texts: Sequence[str]) -> list[float]:
    """Open-Reasoner-Zero's repetition score of each text: 2 sum(LCP) / (n (n + 1)), n its length in characters.

    LCP are the lengths of the prefixes that neighbours in the suffix array share: 0 for no repetition, near 1 for a
    single character over and over. O(n log^2 n), all texts of a chunk at once.
    """
    scores: list[float] = []
    chunk: list[str] = []
    for text in texts:
        chunk.append(text)
        if sum(map(len, chunk)) > _CHUNK_CHARS:
            scores += _scores(chunk)
            chunk = []
    return scores + _scores(chunk)


def _scores(texts: Sequence[str]) -> list[float]:
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    if not lengths.sum():
        return [0.0] * len(texts)
    owner = np.repeat(np.arange(len(texts)), lengths)
    end = np.cumsum(lengths)[owner]
    """Of each character: where its text ends."""
    letters = np.frombuffer("".join(texts).encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32).astype(
        np.int64
    )
    ranks = [_dense(owner, letters + 1)]
    width = 1
    while width < lengths.max() and not _is_settled(ranks[-1]):
        following = np.arange(len(owner)) + width
        inside = following < end
        second = np.where(inside, ranks[-1][np.minimum(following, len(owner) - 1)] + 1, 0)
        ranks.append(_dense(ranks[-1], second))
        width *= 2
    order = np.argsort(ranks[-1], kind="stable")
    common = _common_prefixes(order[:-1], order[1:], ranks=ranks, end=end, owner=owner)
    sums = np.bincount(owner[order[1:]], weights=common, minlength=len(texts))
    counts = np.maximum(lengths * (lengths + 1), 1)
    return [float(score) for score in 2 * sums / counts]


def _dense(first: Array, second: Array) -> Array:
    """Ranks of the pairs (first, second) by order, equal where the pairs are."""
    key = first * (int(second.max()) + 1) + second
    return np.unique(key, return_inverse=True)[1].astype(np.int64)


def _is_settled(ranks: Array) -> bool:
    return int(ranks.max()) + 1 == len(ranks)


def _common_prefixes(left: Array, right: Array, *, ranks: Sequence[Array], end: Array, owner: Array) -> Array:
    """Length of the common prefix of two suffixes of one text, pair by pair; 0 for suffixes of two texts."""
    at_left, at_right = left.copy(), right.copy()
    length = np.zeros(len(left), dtype=np.int64)
    alive = owner[left] == owner[right]
    for power in reversed(range(len(ranks))):
        width = 2**power
        fits = alive & (at_left + width <= end[left]) & (at_right + width <= end[right])
        where = np.flatnonzero(fits)
        same = where[ranks[power][at_left[where]] == ranks[power][at_right[where]]]
        length[same] += width
        at_left[same] += width
        at_right[same] += width
    return length
