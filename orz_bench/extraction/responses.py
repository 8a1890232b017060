"""Properties of a response's text: reflection keywords, format, repetition. Pure functions of text, for training and
analysis.
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

# From Open-Reasoner-Zero's code, case-sensitive as there ("Wait," does not count).
REFLECTION_PATTERNS = tuple(
    re.compile(pattern) for pattern in (r"wait,", r"recheck[,\s]", r"retry", r"alternatively,", r"however,")
)
_TAG = re.compile(r"</?(?:think|answer)>")

Array = np.ndarray[Any, Any]


def count_reflections(text: str) -> int:
    """Matches of all of Open-Reasoner-Zero's reflection patterns."""
    return sum(len(pattern.findall(text)) for pattern in REFLECTION_PATTERNS)


def keeps_format(text: str) -> bool:
    """Whether a response (after `<think>`) is reasoning, one `</think>`, one answer block, and nothing else.

    No further tags of these kinds are allowed, and only white space between and after the two parts.
    """
    tags = list(_TAG.finditer(text))
    if [tag[0] for tag in tags] != ["</think>", "<answer>", "</answer>"]:
        return False
    thought, opening, closing = tags
    return not text[thought.end() : opening.start()].strip() and not text[closing.end() :].strip()


@dataclass(frozen=True)
class SuffixArray:
    """The sorted suffixes of a text and their common prefixes, in O(n log n) by libdivsufsort and Kasai."""

    order: Array
    """(n,) start of the i-th smallest suffix, in an unspecified order of characters."""
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
        """2 sum(LCP) / (n (n + 1)): 0 for no repetition or no text, near 1 for one repeated character."""
        n = len(self.order)
        return 2 * int(self.common.sum()) / (n * (n + 1)) if n else 0.0


def _use_one_thread() -> None:
    """Keep libdivsufsort from starting OpenMP threads: on busy cores they make short texts ten times slower."""
    with contextlib.suppress(AttributeError):  # built without OpenMP
        libdivsufsort.omp_set_num_threads(1)


def _letters(text: str) -> Array:
    """The characters as small numbers, one byte each if few are distinct: the library sorts bytes fastest."""
    if text.isascii():
        return np.frombuffer(bytearray(text, "ascii"), dtype=np.uint8)  # the library requires a writable array
    points = np.frombuffer(text.encode("utf-32-le", errors="surrogatepass"), dtype=np.uint32)
    distinct, ranks = np.unique(points, return_inverse=True)
    narrow = np.uint8 if len(distinct) <= 2**8 else np.uint16 if len(distinct) <= 2**16 else np.uint32
    return ranks.astype(narrow)


def repetition_scores(texts: Sequence[str]) -> list[float]:
    """Open-Reasoner-Zero's repetition score of each text: 2 sum(LCP) / (n (n + 1)), n its length in characters.

    LCP: lengths of the common prefixes of neighbours in the suffix array. O(n log n).
    """
    return [SuffixArray.of(text).repetition_score for text in texts]


@dataclass(frozen=True, slots=True)
class TextFacts:
    """What the metrics of training tell about one text."""

    num_reflections: int
    keeps_format: bool
    repetition: float

    @classmethod
    def of(cls, text: str) -> TextFacts:
        """Counted in the text of a response."""
        return cls(count_reflections(text), keeps_format(text), SuffixArray.of(text).repetition_score)
