"""How often, where and with which words a response reflects; code and quotations of the question do not count.

Input: a batch of rollouts and a lexicon. Output: counts and relative positions, one row per response.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.texts.lexicons import Lexicon, Match

NUM_POSITIONS = 10
"""Number of bins of the position histogram: tenths of the response."""
QUOTED_WORDS = 4
"""A match is a quotation if this many consecutive words, with the match first or last, are also in the question."""
_FENCE = re.compile(r"^[ \t]{0,3}(`{3,}+|~{3,}+)([^\n]*+)$", re.MULTILINE)
_INLINE = re.compile(r"(?<!`)(`{1,2}+)[^`\n]++\1(?!`)")
_WORD = re.compile(r"\w+")
_NEAR_CHARS = 200
"""Distance within which neighbouring words of a match are searched."""


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`."""

    start: int
    end: int


def code_spans(text: str) -> list[Span]:
    """Fenced blocks (an unclosed one extends to the end) and inline code within a line, by position. Linear time."""
    if "`" not in text and "~~~" not in text:
        return []
    fenced = _fenced_spans(text)
    # LaTeX opens a quotation with two backticks and closes it with two apostrophes.
    inline = (Span(found.start(), found.end()) for found in _INLINE.finditer(text) if "''" not in found[0])
    return sorted([*fenced, *inline], key=lambda span: span.start)


def _fenced_spans(text: str) -> list[Span]:
    spans: list[Span] = []
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            # A line such as ```x``` is inline code.
            opening = fence if "`" not in fence[2] else None
        elif fence[1][0] == opening[1][0] and len(fence[1]) >= len(opening[1]) and not fence[2].strip():
            spans.append(Span(opening.start(), fence.end()))
            opening = None
    return [*spans, Span(opening.start(), len(text))] if opening else spans


def counted_matches(text: str, lexicon: Lexicon, *, question: str | None = None) -> list[Match]:
    """The lexicon's matches in `text`, except in code and in quotations of the question."""
    matches = lexicon.find(text)
    return _counted(text, matches, quotable=_quotable(question, lexicon)) if matches else []


def _quotable(question: str | None, lexicon: Lexicon) -> str:
    """The question's words for search; empty if it contains no reflection, so that none can be quoted."""
    if not question or not lexicon.find(question):
        return ""
    return f" {' '.join(_WORD.findall(question.lower()))} "


def _counted(text: str, matches: Sequence[Match], *, quotable: str) -> list[Match]:
    code = code_spans(text)
    kept = matches
    if code:
        last_before = np.searchsorted([span.start for span in code], [match.start for match in matches], "right") - 1
        # Inline spans may be inside a fenced one: what counts is how far any span before the match extends.
        reach = np.maximum.accumulate([span.end for span in code])
        kept = [m for m, index in zip(matches, last_before, strict=True) if index < 0 or reach[index] <= m.start]
    return [match for match in kept if not (quotable and _is_quoted(text, match, quotable=quotable))]


def _is_quoted(text: str, match: Match, *, quotable: str) -> bool:
    after = _WORD.findall(text[match.start : match.start + _NEAR_CHARS].lower())[:QUOTED_WORDS]
    before = _WORD.findall(text[max(match.end - _NEAR_CHARS, 0) : match.end].lower())[-QUOTED_WORDS:]
    return any(len(words) == QUOTED_WORDS and f" {' '.join(words)} " in quotable for words in (after, before))


@dataclass(frozen=True, slots=True)
class Reflections:
    """The matches of a batch."""

    num_raw: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Per response: all matches, including code and quotations."""
    counted: Sequence[Sequence[Match]]
    """Per response: matches outside code and quotations."""


def find_reflections(batch: pd.DataFrame, lexicon: Lexicon) -> Reflections:
    """The matches in every completion of a batch; questions are used if the batch has them."""
    texts = batch["completion"].tolist()
    questions = batch["question"].tolist() if "question" in batch.columns else [None] * len(texts)
    quotable: dict[str | None, str] = {}
    num_raw = np.zeros(len(texts), dtype=np.int64)
    counted: list[Sequence[Match]] = [()] * len(texts)
    for index, text in enumerate(texts):
        matches = lexicon.find(text)
        if not matches:
            continue
        question = questions[index] if isinstance(questions[index], str) else None
        if question not in quotable:
            quotable[question] = _quotable(question, lexicon)
        num_raw[index] = len(matches)
        counted[index] = _counted(text, matches, quotable=quotable[question])
    return Reflections(num_raw, counted)


def reflection_features(batch: pd.DataFrame, lexicon: Lexicon, *, found: Reflections) -> pd.DataFrame:
    """One row per response.

    reflections_raw             all matches of the patterns
    reflections, reflects       matches outside code and quotations of the question; whether there are any
    reflections_per_1000_tokens 1000 reflections / num_tokens; <NA> if the token count is unknown or 0
    first_reflection            start of the first one / characters of the response; <NA> if there are none
    position_0 ... position_9   reflections that start in that tenth of the response
    pattern:<name>              reflections by pattern of the lexicon
    """
    lengths = np.array([max(len(text), 1) for text in batch["completion"]], dtype=np.int64)
    owner = np.repeat(np.arange(len(batch)), [len(matches) for matches in found.counted])
    matches = [match for row in found.counted for match in row]
    starts = np.array([match.start for match in matches], dtype=np.int64)
    patterns = np.array([match.pattern for match in matches], dtype=np.int64)
    counts = np.bincount(owner, minlength=len(batch))
    tenths = NUM_POSITIONS * starts // lengths[owner]
    columns: dict[str, object] = {
        "reflections_raw": found.num_raw.astype(np.int32),
        "reflections": counts.astype(np.int32),
        "reflects": counts > 0,
        "reflections_per_1000_tokens": _per_1000_tokens(counts, batch),
        "first_reflection": _first(starts, owner, lengths=lengths),
    }
    columns |= _by_column(tenths, owner, names=[f"position_{n}" for n in range(NUM_POSITIONS)], num_rows=len(batch))
    columns |= _by_column(patterns, owner, names=[f"pattern:{n}" for n in lexicon.patterns], num_rows=len(batch))
    return pd.DataFrame(columns, index=batch.index)


def _per_1000_tokens(counts: np.ndarray, batch: pd.DataFrame) -> pd.Series:
    if "num_tokens" not in batch.columns:
        return pd.Series(pd.NA, index=batch.index, dtype="Float64")
    tokens = batch["num_tokens"].astype("Float64")
    return 1000 * pd.Series(counts, index=batch.index, dtype="Float64") / tokens.mask(tokens == 0)


def _first(starts: np.ndarray, owner: np.ndarray, *, lengths: np.ndarray) -> pd.arrays.FloatingArray:
    owners, index = np.unique(owner, return_index=True)
    values = np.zeros(len(lengths))
    values[owners] = starts[index] / lengths[owners]
    is_unknown = np.ones(len(lengths), dtype=bool)
    is_unknown[owners] = False
    return pd.arrays.FloatingArray(values, is_unknown)


def _by_column(bins: np.ndarray, owner: np.ndarray, *, names: Sequence[str], num_rows: int) -> dict[str, object]:
    counts = np.bincount(owner * len(names) + bins, minlength=num_rows * len(names)).reshape(num_rows, len(names))
    return {name: counts[:, number].astype(np.int32) for number, name in enumerate(names)}
