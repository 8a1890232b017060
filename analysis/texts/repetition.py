"""Repetition in a response: Open-Reasoner-Zero's score, repeated word 4-grams, and loops at the end.

Input: texts. Output: exact numbers in O(n log n), from one suffix array per text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from orz_bench.extraction.responses import SuffixArray

NGRAM_WORDS = 4
MIN_LOOP_REPEATS = 3
MIN_LOOP_CHARS = 60
"""Shorter repeated ends, such as a row of dashes or an ellipsis, are not loops."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A repeated period at the end of a text."""

    period: int
    """Length of the period in characters."""
    num_chars: int
    """Length of the repeated end in characters; its first period may be incomplete."""

    @property
    def repeats(self) -> float:
        """Length in periods, at least 3."""
        return self.num_chars / self.period


def repeated_ngrams(text: str, num_words: int = NGRAM_WORDS) -> float | None:
    """Share of the word n-grams that occurred earlier in the text: 1 - distinct / all; None for fewer than n words.

    Words are separated by white space. Source: seq-rep-n of Welleck et al. 2019, arXiv 1908.04319, section 6.
    """
    words = text.split()
    num_ngrams = len(words) - num_words + 1
    if num_ngrams < 1:
        return None
    distinct = set(zip(*(words[start : start + num_ngrams] for start in range(num_words)), strict=True))
    return 1 - len(distinct) / num_ngrams


def find_loop(text: str) -> Loop | None:
    """The longest end of the text that is a period repeated at least three times and has 60 characters, or None.

    Of two periods of equal extent, the smaller. Exact: `text[-num_chars:-period] == text[-num_chars + period:]`, and no
    longer end has a period that fits into it three times.
    """
    return _loop_at_start(SuffixArray.of(text[::-1]))


def _loop_at_start(suffixes: SuffixArray) -> Loop | None:
    # A prefix of p + z characters has period p where the text and its suffix from p on share z characters.
    shared = _shared_with_whole(suffixes)
    period = np.arange(1, len(shared))
    reach = np.where(shared[1:] >= (MIN_LOOP_REPEATS - 1) * period, period + shared[1:], 0)
    if not len(reach) or reach.max() < MIN_LOOP_CHARS:
        return None
    longest = int(np.argmax(reach))
    return Loop(period=int(period[longest]), num_chars=int(reach[longest]))


def _shared_with_whole(suffixes: SuffixArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """(n,) by start of the suffix: length of its common prefix with the whole text.

    The common prefix of two suffixes is the minimum over neighbours between them in the suffix array, so this is a
    running minimum in both directions from the place of the whole text.
    """
    order, common = suffixes.order, suffixes.common
    shared = np.zeros(len(order), dtype=np.int64)
    if not len(order):
        return shared
    whole = int(np.flatnonzero(order == 0)[0])
    shared[order[whole + 1 :]] = np.minimum.accumulate(common[whole:-1])
    shared[order[:whole][::-1]] = np.minimum.accumulate(common[:whole][::-1])
    shared[0] = len(order)
    return shared


def repetition_features(texts: Sequence[str]) -> pd.DataFrame:
    """One row per text.

    repetition       Open-Reasoner-Zero's score, 0 to 1 (orz_bench.extraction.responses.repetition_scores)
    repeated_4grams  share of word 4-grams that occurred earlier in the text; <NA> for fewer than four words
    ends_in_loop     whether it ends in a loop; loop_period (characters) and loop_repeats are <NA> without one
    """
    rows = [_repetition(text) for text in texts]
    loops = [loop for _, loop in rows]
    ngrams = [repeated_ngrams(text) for text in texts]
    return pd.DataFrame(
        {
            "repetition": np.array([score for score, _ in rows], dtype=np.float64),
            "repeated_4grams": pd.Series(ngrams, dtype="Float64"),
            "ends_in_loop": np.array([loop is not None for loop in loops], dtype=bool),
            "loop_period": pd.Series([loop.period if loop else None for loop in loops], dtype="Int64"),
            "loop_repeats": pd.Series([loop.repeats if loop else None for loop in loops], dtype="Float64"),
        }
    )


def _repetition(text: str) -> tuple[float, Loop | None]:
    # The score is the same backwards: it counts the distinct substrings.
    suffixes = SuffixArray.of(text[::-1])
    return suffixes.repetition_score, _loop_at_start(suffixes)
