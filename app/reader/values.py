"""A critic's values of one response for the eye: colours of tokens, a strip, a curve, and the largest drops.

Input: T values, each before one token, and the end of each token in the text. Output: marks, HTML without any text of
the response, and places to jump to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from app.reader.markup import Mark
from app.reader.outline import Place, label_at

MOST_DROPS = 6
MIN_DROP = 0.05
"""Smaller drops are not listed."""
STRIP_CELLS = 160
_LEVELS = 10


@dataclass(frozen=True, slots=True)
class Drop:
    """A stretch of tokens over which the value falls without a rise: tokens `first` to `last`."""

    first: int
    last: int
    start: int
    """Where its first token begins in the text."""
    before: float
    after: float
    """The value behind its last token."""

    @property
    def size(self) -> float:
        """How far the value falls."""
        return self.before - self.after


def value_marks(values: Sequence[float], char_ends: Sequence[int]) -> list[Mark]:
    """One mark for every stretch of tokens with the same value: `val0` (0.1 and less) to `val9` (0.9 and more)."""
    return _marks(values, char_ends, layer=_value_layer, title=lambda value: f"value {value:.2f}")


def advantage_marks(values: Sequence[float], char_ends: Sequence[int], *, reward: float) -> list[Mark]:
    """The same of the advantage, reward minus value: `adv-n5` (-1) to `adv-p5` (+1); none within 0.1 of 0."""
    found = [reward - value for value in values]
    return _marks(found, char_ends, layer=_advantage_layer, title=lambda value: f"advantage {value:+.2f}")


def _marks(
    numbers: Sequence[float], char_ends: Sequence[int], *, layer: Callable[[float], str], title: Callable[[float], str]
) -> list[Mark]:
    marks: list[Mark] = []
    start = 0
    for number, end in zip(numbers, char_ends, strict=True):
        name = layer(number) if math.isfinite(number) else ""
        if name and end > start:
            text = title(number)
            is_same = bool(marks) and (marks[-1].end, marks[-1].layer, marks[-1].title) == (start, name, text)
            begins = marks.pop().start if is_same else start
            marks.append(Mark(begins, end, name, text))
        start = end
    return marks


def _value_layer(value: float) -> str:
    return f"val{level(value)}"


def level(value: float) -> int:
    """The tenth of [0, 1] in which a value is, 0 to 9; outside of it, the nearest."""
    return min(_LEVELS - 1, int(max(0.0, min(1.0, value)) * _LEVELS))


def _advantage_layer(advantage: float) -> str:
    size = min(5, int(abs(max(-1.0, min(1.0, advantage))) * 5 + 0.5))
    return f"adv-{'p' if advantage > 0 else 'n'}{size}" if size else ""


def largest_drops(values: Sequence[float], char_ends: Sequence[int]) -> list[Drop]:
    """The largest falls of the value without a rise in between, in the order of the text."""
    found: list[Drop] = []
    first = 0
    for at in range(1, len(values) + 1):
        if at < len(values) and values[at] < values[at - 1]:
            continue
        last = at - 1
        if last > first and values[first] - values[last] >= MIN_DROP:
            start = char_ends[first - 1] if first else 0
            found.append(Drop(first, last - 1, start, values[first], values[last]))
        first = at
    return sorted(sorted(found, key=lambda drop: -drop.size)[:MOST_DROPS], key=lambda drop: drop.start)


def drop_places(drops: Sequence[Drop], text: str) -> list[Place]:
    """A place for every drop, labelled with its size and the text there."""
    return [Place(drop.start, "drop", f"−{drop.size:.2f} {label_at(text, drop.start)}") for drop in drops]


def strip_html(values: Sequence[float]) -> str:
    """The response as a strip of cells from its first token to its last, each with the mean value of its tokens."""
    cells = []
    for first, last in _bins(len(values), STRIP_CELLS):
        finite = [value for value in values[first:last] if math.isfinite(value)]
        mean = sum(finite) / len(finite) if finite else None
        tokens = f"token {first + 1:,}" if last == first + 1 else f"tokens {first + 1:,} to {last:,}"
        style = f"val{level(mean)}" if mean is not None else "val-none"
        cells.append(f'<i class="{style}" title="{tokens}: {_shown(mean)}"></i>')
    return f'<div class="orz-values" role="img" aria-label="{_spoken(values)}">{"".join(cells)}</div>'


def _shown(value: float | None) -> str:
    return "no value" if value is None else f"value {value:.2f}"


def _spoken(values: Sequence[float]) -> str:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return "No value is a number."
    return f"Value {finite[0]:.2f} at the start, {min(finite):.2f} at least, {finite[-1]:.2f} at the end."


def curve_points(values: Sequence[float], *, most: int = 600) -> list[tuple[int, float]]:
    """(token from 1, value) for a curve: all, or of more than `most` the least and the greatest of each stretch."""
    numbered = [(at + 1, value) for at, value in enumerate(values) if math.isfinite(value)]
    if len(numbered) <= most:
        return numbered
    kept: set[tuple[int, float]] = {numbered[0], numbered[-1]}
    for first, last in _bins(len(numbered), most // 2):
        stretch = numbered[first:last]
        kept |= {min(stretch, key=lambda point: point[1]), max(stretch, key=lambda point: point[1])}
    return sorted(kept)


def _bins(num: int, most: int) -> list[tuple[int, int]]:
    count = min(num, most)
    borders = [num * at // count for at in range(count + 1)] if count else [0]
    return list(pairwise(borders))
