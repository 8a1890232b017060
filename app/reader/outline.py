"""The outline of a long response: steps, reflections, repeats, candidate answers, end of the thought; and its folds.

Input: a text and the marks of its layers. Output: places to jump to, in order, and repeated stretches to fold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.reader.markup import Mark
from orz_bench.extraction.answers import box_spans

Kind = Literal["step", "reflection", "repeat", "answer", "end", "drop"]
SIGNS: dict[Kind, str] = {"step": "§", "reflection": "↺", "repeat": "≡", "answer": "▣", "end": "⊣", "drop": "↘"}
MOST_PLACES = 240
MIN_FOLD_CHARS = 160
"""Shorter repeats are not folded."""
_LABEL_CHARS = 44
_APART = {"step": 1, "reflection": 300, "repeat": 300, "answer": 40, "end": 1}
"""Places of one kind that are closer than this are one."""
_STEP = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]+\S|\*\*[^*\n]{2,80}\*\*:?[ \t]*$|(?:Step|Case|Part)[ \t]+\d|\d{1,2}[.)][ \t]+\S)",
    re.MULTILINE | re.IGNORECASE,
)
_ANSWER = re.compile(r"<answer>|\b(?:final )?answer(?: is|:)", re.IGNORECASE)
_END = re.compile(r"</think>")


@dataclass(frozen=True, slots=True)
class Place:
    """Something to jump to."""

    start: int
    kind: Kind
    label: str
    """The beginning of the text there."""


@dataclass(frozen=True, slots=True)
class Fold:
    """A stretch `text[start:end]` that occurred earlier."""

    start: int
    end: int


def folds_of(marks: Iterable[Mark], text: str) -> list[Fold]:
    """The repeated stretches that are worth folding: neighbouring marks of repeats and loops as one."""
    found: list[Fold] = []
    for mark in sorted((m for m in marks if m.layer in ("repeat", "loop")), key=lambda m: m.start):
        if found and not text[found[-1].end : mark.start].strip():
            found[-1] = Fold(found[-1].start, max(found[-1].end, mark.end))
        else:
            found.append(Fold(mark.start, mark.end))
    return [fold for fold in found if fold.end - fold.start >= MIN_FOLD_CHARS]


def outline(
    text: str, *, reflections: Iterable[Mark], folds: Sequence[Fold], also: Sequence[Place] = ()
) -> list[Place]:  # fmt: skip
    """At most MOST_PLACES places in their order, and `also` these; of more, the commonest kinds are thinned.

    None is inside a fold.
    """
    starts: dict[Kind, list[int]] = {
        "step": [found.start() for found in _STEP.finditer(text)],
        "reflection": [mark.start for mark in reflections],
        "repeat": [fold.start for fold in folds],
        "answer": sorted({start for start, _ in box_spans(text)} | {found.start() for found in _ANSWER.finditer(text)}),
        "end": [found.start() for found in _END.finditer(text)],
    }
    kept = {kind: _apart(_outside(sorted(at), folds), _APART[kind]) for kind, at in starts.items()}
    while sum(map(len, kept.values())) > MOST_PLACES:
        most = max(kept, key=lambda kind: len(kept[kind]))
        kept[most] = kept[most][::2]
    places = [Place(at, kind, label_at(text, at)) for kind, found in kept.items() for at in found]
    return ordered([*places, *(place for place in also if _outside([place.start], folds))])


def ordered(places: Iterable[Place]) -> list[Place]:
    """In the order of the text."""
    return sorted(places, key=lambda place: (place.start, place.kind))


def _outside(starts: Sequence[int], folds: Sequence[Fold]) -> list[int]:
    """Those that are in no fold; a fold's own start is not inside it. Both are in order."""
    found: list[int] = []
    at = 0
    for start in starts:
        while at < len(folds) and folds[at].end <= start:
            at += 1
        if at == len(folds) or start <= folds[at].start:
            found.append(start)
    return found


def _apart(starts: Sequence[int], chars: int) -> list[int]:
    found: list[int] = []
    for start in starts:
        if not found or start - found[-1] >= chars:
            found.append(start)
    return found


def label_at(text: str, at: int) -> str:
    """The beginning of the text there, as one line."""
    line = " ".join(text[at : at + 3 * _LABEL_CHARS].split())
    return line if len(line) <= _LABEL_CHARS else line[: _LABEL_CHARS - 1] + "…"


def chapters(text: str, *, chars: int) -> list[tuple[int, int]]:
    """The text in stretches of at most so many characters, cut at the last line end where there is one."""
    found: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = min(start + chars, len(text))
        if end < len(text):
            line = text.rfind("\n", start + chars // 2, end)
            end = line + 1 if line >= 0 else end
        found.append((start, end))
        start = end
    return found or [(0, 0)]
