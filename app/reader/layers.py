"""Layers over a response: where the reflection words, the tags, the extracted answer and the repeats stand in it."""

from __future__ import annotations

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
"""Shorter sentences, such as "So we have:", are no sign of repetition."""
MAX_CHARS = 200_000
"""Of longer texts only this much is looked at: what is shown at once is less."""


def reflection_marks(text: str, lexicon: Lexicon, *, question: str = "") -> list[Mark]:
    """The lexicon's matches that count: outside of code and of the quoted question."""
    names = tuple(lexicon.patterns)
    return [
        Mark(match.start, match.end, "reflection", f"reflection: {names[match.pattern]}")
        for match in counted_matches(text[:MAX_CHARS], lexicon, question=question)
    ]


def tag_marks(text: str) -> list[Mark]:
    """Every think and answer tag."""
    return [Mark(found.start(), found.end(), "tag", "format tag") for found in _TAG.finditer(text)]


def extracted_marks(text: str, extracted: str | None) -> list[Mark]:
    r"""Where the extracted answer most likely came from: the last `\boxed{}`, else the answer block, else anywhere.

    Extractors normalise what they find, so the text may not hold it word for word: there is no mark then.
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
    return [] if found is None else [Mark(found, found + len(wanted), "extracted", "what the extractor found")]


def repeat_marks(text: str) -> list[Mark]:
    """Sentences and lines that stood in the text before, word for word, and the loop at its end."""
    looked_at = text[:MAX_CHARS]
    seen: set[str] = set()
    marks: list[Mark] = []
    for found in _PIECE.finditer(looked_at):
        piece = " ".join(found[0].split())
        if len(piece) < MIN_REPEATED_CHARS:
            continue
        if piece in seen:
            marks.append(Mark(found.start(), found.end(), "repeat", "stood in the text before"))
        seen.add(piece)
    loop = find_loop(looked_at) if len(text) <= MAX_CHARS else None
    if loop is not None:
        start = len(text) - loop.num_chars
        marks.append(Mark(start, len(text), "loop", f"a loop: {loop.repeats:.1f} times {loop.period} characters"))
    return marks


def logprob_marks(tokens: Sequence[str], logprobs: Sequence[float]) -> list[Mark]:
    """A mark a token, darker the less likely it was: layers `p0` (over 0.9) to `p4` (below 0.05)."""
    marks: list[Mark] = []
    at = 0
    for token, logprob in zip(tokens, logprobs, strict=True):
        level = next((n for n, bound in enumerate(_BOUNDS) if logprob > bound), len(_BOUNDS))
        if level and token:
            marks.append(Mark(at, at + len(token), f"p{level}", f"log-prob {logprob:.3f}"))
        at += len(token)
    return marks


_BOUNDS = (-0.105, -0.693, -1.609, -2.996)
"""Natural logarithms of 0.9, 0.5, 0.2 and 0.05."""

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "reflection": "reflection words",
        "tags": "format tags",
        "extracted": "extracted answer",
        "repeats": "repeats",
        "logprobs": "token log-probs",
    }
)
"""Layers by name, with what a switch says."""

TextMarks = Callable[[str], list[Mark]]
