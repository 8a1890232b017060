"""A long response as inert HTML: in blocks that are laid out when they are seen, with places to jump to and folds.

A place is a radio button, to which a label of the outline leads: jumps need no script, no link, and work by the arrow
keys. As app.reader.markup, no part of the text becomes an element, an attribute or an address: names are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.reader.markup import Mark, escape, marked_html
from app.reader.outline import SIGNS, Fold, Place, chapters

BLOCK_CHARS = 2_000
LONG_CHARS = 20_000
"""Texts of more characters are laid out block by block."""


def outline_html(places: Sequence[Place], *, name: str) -> str:
    """The outline; `name` (ours: letters, digits, hyphens) tells the places of this text from others."""
    labels = (
        f'<label for="{name}-{number}" class="k-{place.kind}"><b title="{place.kind}">{SIGNS[place.kind]}</b> '
        f"{escape(place.label)}</label>"
        for number, place in enumerate(places)
    )
    return f'<div class="orz-outline" role="group" aria-label="Outline">{"".join(labels)}</div>'


def long_html(
    text: str, marks: Sequence[Mark], *, places: Sequence[Place] = (), folds: Sequence[Fold] = (), name: str = "at"
) -> str:  # fmt: skip
    """The text with its marks, in blocks. Places lie before the text where they start, folds are closed."""
    numbered = list(enumerate(places))
    pieces: list[str] = []
    taken = 0
    clipped = _Clipped(marks)
    style = "orz-block" if len(text) > LONG_CHARS else "orz-whole"
    for start, end, is_folded in _stretches(text, folds):
        blocks: list[str] = []
        before = ""
        if is_folded and taken < len(numbered) and numbered[taken][1].start == start:
            before, taken = _place_html(name, numbered[taken][0], place=numbered[taken][1]), taken + 1
        for first, last in chapters(text[start:end], chars=BLOCK_CHARS if len(text) > LONG_CHARS else LONG_CHARS):
            a, b = start + first, start + last
            inside: list[str] = []
            while taken < len(numbered) and numbered[taken][1].start < b:
                at = max(numbered[taken][1].start, a)
                inside += [
                    marked_html(text[a:at], clipped.between(a, at)),
                    _place_html(name, numbered[taken][0], place=numbered[taken][1]),
                ]
                a, taken = at, taken + 1
            inside.append(marked_html(text[a:b], clipped.between(a, b)))
            blocks.append(f'<div class="{style}">{"".join(inside)}</div>')
        pieces.append(_fold_html(before, blocks, chars=end - start) if is_folded else "".join(blocks))
    return "".join(pieces)


def _stretches(text: str, folds: Sequence[Fold]) -> Iterator[tuple[int, int, bool]]:
    at = 0
    for fold in folds:
        if fold.end > len(text):
            break
        if fold.start > at:
            yield at, fold.start, False
        yield fold.start, fold.end, True
        at = fold.end
    if at < len(text) or not text:
        yield at, len(text), False


def _fold_html(before: str, blocks: Sequence[str], *, chars: int) -> str:
    return (
        f'<details class="orz-fold"><summary>{before}{SIGNS["repeat"]} {chars:,} repeated characters</summary>'
        f"{''.join(blocks)}</details>"
    )


def _place_html(name: str, number: int, *, place: Place) -> str:
    label = f"{place.kind} {number + 1}"
    what = f'class="orz-place k-{place.kind}" name="{name}" id="{name}-{number}" aria-label="{label}"'
    return f'<input type="radio" {what}>'


class _Clipped:
    """Marks of stretches that are asked for in their order, relative to each one's start."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self._waiting = sorted(marks, key=lambda mark: mark.start)
        self._active: list[Mark] = []
        self._at = 0

    def between(self, start: int, end: int) -> list[Mark]:
        while self._at < len(self._waiting) and self._waiting[self._at].start < end:
            self._active.append(self._waiting[self._at])
            self._at += 1
        self._active = [mark for mark in self._active if mark.end > start]
        return [
            Mark(max(mark.start, start) - start, min(mark.end, end) - start, mark.layer, mark.title)
            for mark in self._active
            if mark.start < end
        ]
