"""What a response's text looks like: reflection keywords, format, repetition. Pure functions of text, used in training
and in analysis alike.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydivsufsort import divsufsort, kasai  # type: ignore[import-untyped]  # it ships no types
from pydivsufsort.dll import libdivsufsort  # type: ignore[import-untyped]  # as above

# Open-Reasoner-Zero's code, case-sensitive as there ("Wait," does not count).
REFLECTION_PATTERNS = tuple(
    re.compile(pattern) for pattern in (r"wait,", r"recheck[,\s]", r"retry", r"alternatively,", r"however,")
)
_TAG = re.compile(r"</?(?:think|answer)>")

Array = np.ndarray[Any, Any]


def count_reflections(text: str) -> int:
    """Matches of all of Open-Reasoner-Zero's reflection patterns."""
    return sum(len(pattern.findall(text)) for pattern in REFLECTION_PATTERNS)


def keeps_format(text: str) -> bool:
    """Whether a response (it follows `<think>`) is reasoning, one `</think>`, one answer block, and nothing after.

    No other of these tags may stand anywhere, and only white space between and after the two parts.
    """
    tags = list(_TAG.finditer(text))
    if [tag[0] for tag in tags] != ["</think>", "<answer>", "</answer>"]:
        return False
    thought, opening, closing = tags
    return not text[thought.end() : opening.start()].strip() and not text[closing.end() :].strip()


@dataclass(frozen=True)
class SuffixArray:
    """The suffixes of a text in order, and what neighbours share. Made in O(n log n) by libdivsufsort and Kasai."""

    order: Array
    """(n,) start of the i-th smallest suffix; which order of the characters is meant is left open."""
    common: Array
    """(n,) length of the prefix that suffixes i and i + 1 of `order` share; 0 at the last."""

    @classmethod
    def of(cls, text: str) -> SuffixArray:
        """The suffix array over characters (code points, lone surrogates too), for any text."""
        letters = _letters(text)
        _use_one_thread()
        order = divsufsort(letters)
        return cls(order.astype(np.int64), kasai(letters, order).astype(np.int64))

    @cached_property
    def repetition_score(self) -> float:
        """2 sum(LCP) / (n (n + 1)): 0 for no repetition or no text, near 1 for one character over and over."""
        n = len(self.order)
        return 2 * int(self.common.sum()) / (n * (n + 1)) if n else 0.0


def _use_one_thread() -> None:
    """Keep libdivsufsort from starting OpenMP threads: on busy cores they make short texts ten times slower."""
    with contextlib.suppress(AttributeError):  # built without OpenMP
        libdivsufsort.omp_set_num_threads(1)


def _letters(text: str) -> Array:
    """The characters as small numbers, a byte each where few differ: the library sorts bytes fastest."""
    if text.isascii():
        return np.frombuffer(bytearray(text, "ascii"), dtype=np.uint8)  # the library wants to be able to write
    points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    distinct, ranks = np.unique(points, return_inverse=True)
    narrow = np.uint8 if len(distinct) <= 2**8 else np.uint16 if len(distinct) <= 2**16 else np.uint32
    return ranks.astype(narrow)


def repetition_scores(texts: Sequence[str]) -> list[float]:
    """Open-Reasoner-Zero's repetition score of each text: 2 sum(LCP) / (n (n + 1)), n its length in characters.

    LCP are the lengths of the prefixes that neighbours in the suffix array share. O(n log n).
    """
    return [SuffixArray.of(text).repetition_score for text in texts]
