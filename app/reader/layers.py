"""Layers of marks on a response: reflection words, tags, the extracted answer, repeats, token log-probs."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from analysis.texts.lexicons import Lexicon
from analysis.texts.reflection import counted_matches
from analysis.texts.repetition import find_loop
from app.reader.markup import Mark
from orz_bench.extraction.answers import box_spans

_TAG = re.compile(r"</?(?:think|answer)>")
_PIECE = re.compile(r"[^.\n]+[.\n]*")
MIN_REPEATED_CHARS = 25
"""Shorter repeated sentences, such as "So we have:", are not marked."""
MAX_CHARS = 200_000
"""Only this much of longer texts is searched; less is shown at once."""


def reflection_marks(text: str, lexicon: Lexicon, *, question: str = "") -> list[Mark]:
    """The lexicon's matches that count: outside code and quotations of the question."""
    names = tuple(lexicon.patterns)
    return [
        Mark(match.start, match.end, "reflection", f"reflection: {names[match.pattern]}")
        for match in counted_matches(text[:MAX_CHARS], lexicon, question=question)
    ]


def tag_marks(text: str) -> list[Mark]:
    """All think and answer tags."""
    return [Mark(found.start(), found.end(), "tag", "format tag") for found in _TAG.finditer(text)]


def extracted_marks(text: str, extracted: str | None) -> list[Mark]:
    r"""The likely origin of the extracted answer: the last `\boxed{}`, else the answer block, else anywhere.

    Extractors normalise answers, so the text may not contain the answer literally; there is no mark then.
    """
    if not extracted or not extracted.strip():
        return []
    wanted = extracted.strip()
    boxed = [text.find(wanted, *span) for span in box_spans(text)]
    block = text.rfind("<answer>")
    places = (
        max(boxed, default=-1),
        text.rfind(wanted, block) if block >= 0 else -1,
        text.rfind(wanted),
    )
    found = next((place for place in places if place >= 0), None)
    return [] if found is None else [Mark(found, found + len(wanted), "extracted", "the extracted answer")]


def repeat_marks(text: str, *, ends_in_loop: bool | None = None) -> list[Mark]:
    """Sentences and lines that occurred earlier in the text, and the loop at its end.

    False if it is known to end in none: the search for one takes longer than everything else.
    """
    searched = text[:MAX_CHARS]
    seen: set[str] = set()
    marks: list[Mark] = []
    for found in _PIECE.finditer(searched):
        piece = " ".join(found[0].split())
        if len(piece) < MIN_REPEATED_CHARS:
            continue
        if piece in seen:
            marks.append(Mark(found.start(), found.end(), "repeat", "occurred earlier"))
        seen.add(piece)
    is_searched = ends_in_loop is not False and len(text) <= MAX_CHARS
    loop = find_loop(searched) if is_searched else None
    if loop is not None:
        start = len(text) - loop.num_chars
        marks.append(Mark(start, len(text), "loop", f"loop: {loop.period} characters, {loop.repeats:.1f} times"))
    return marks


def logprob_marks(tokens: Sequence[str], logprobs: Sequence[float]) -> list[Mark]:
    """One mark per surprising token, darker for less likely ones: `p1` (probability below 0.9) to `p4` (below 0.05).

    Titles give the surprise in bits: -log2 of the probability.
    """
    marks: list[Mark] = []
    at = 0
    for token, logprob in zip(tokens, logprobs, strict=True):
        level = next((n for n, bound in enumerate(_BOUNDS) if logprob > bound), len(_BOUNDS))
        if level and token:
            marks.append(
                Mark(
                    at,
                    at + len(token),
                    f"p{level}",
                    f"surprise {-logprob / math.log(2):.1f} bits, log-prob {logprob:.3f}",
                )
            )
        at += len(token)
    return marks


_BOUNDS = (-0.105, -0.693, -1.609, -2.996)
"""Natural logarithms of 0.9, 0.5, 0.2 and 0.05."""

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "reflection": "reflection words",
        "tags": "format tags",
        "extracted": "extracted answer",
        "gold": "gold",
        "repeats": "repeats",
        "logprobs": "surprise of tokens",
        "value": "value of tokens",
        "advantage": "advantage of tokens",
        "folds": "repeats folded",
        "latex": "formulas",
    }
)
"""Layers by name, with their labels."""

TextMarks = Callable[[str], list[Mark]]
