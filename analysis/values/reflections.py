"""What a value does at reflection words, against matched places without one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.texts.lexicons import Lexicon
from analysis.texts.reflection import counted_matches
from analysis.values.assessed import AssessedResponse

WINDOW = 8
"""Tokens before and after a place whose values are averaged; fewer at the ends of a response, of its controls too."""
MAX_CONTROLS = 4
NEAR = 0.15
"""Largest difference of the relative positions of a reflection and its controls."""


@dataclass(frozen=True, slots=True)
class Place:
    """A word of a response: its first and last token."""

    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReflectionChange:
    """The change of the value at one reflection word, and the mean change at its controls (None without one)."""

    problem_id: str
    is_right: bool
    change: float
    control: float | None


def reflection_places(response: AssessedResponse, lexicon: Lexicon) -> list[Place]:
    """The lexicon's words outside code and quotations of the question, as tokens."""
    places = []
    for match in counted_matches(response.text, lexicon, question=response.question):
        first = int(np.searchsorted(response.char_ends, match.start, side="right"))
        last = int(np.searchsorted(response.char_ends, match.end, side="left"))
        if last < response.num_tokens:
            places.append(Place(first, last))
    return places


def change_at(response: AssessedResponse, place: Place, *, before: int, after: int) -> float:
    """Mean value in the `after` states behind the word minus that in the `before` states up to the word."""
    values = response.values
    return float(
        values[place.last + 1 : place.last + 1 + after].mean()
        - values[place.first + 1 - before : place.first + 1].mean()
    )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a control has in common with a reflection."""

    share: float
    """Relative position."""
    width: int
    before: int
    after: int

    def span(self, first: int) -> Place:
        """The tokens of a control that starts there, with its windows."""
        return Place(first + 1 - self.before, first + self.width - 1 + self.after)


def reflection_changes(group: Sequence[AssessedResponse], lexicon: Lexicon) -> list[ReflectionChange]:
    """Every reflection in the responses to one question, against places in responses with the same outcome.

    A control starts a word at about the same relative position (NEAR), has as many tokens and the same windows, and no
    reflection in them; of each response at most the nearest, of all at most the nearest MAX_CONTROLS.
    """
    reflections = [reflection_places(response, lexicon) for response in group]
    starts = [_word_starts(response) for response in group]
    found = []
    for response, places in zip(group, reflections, strict=True):
        for place in places:
            wanted = _Wanted(
                share=place.first / response.num_tokens,
                width=place.last - place.first + 1,
                before=min(WINDOW, place.first + 1),
                after=min(WINDOW, response.num_tokens - 1 - place.last),
            )
            if wanted.after < 1:
                continue
            controls = sorted(
                nearest
                for other, taken, words in zip(group, reflections, starts, strict=True)
                if other.is_right == response.is_right
                and (nearest := _nearest(other, wanted, words=words, taken=taken)) is not None
            )[:MAX_CONTROLS]
            found.append(
                ReflectionChange(
                    problem_id=response.problem_id,
                    is_right=response.is_right,
                    change=change_at(response, place, before=wanted.before, after=wanted.after),
                    control=float(np.mean([change for _, change in controls])) if controls else None,
                )
            )
    return found


def _nearest(
    other: AssessedResponse, wanted: _Wanted, *, words: Sequence[int], taken: Sequence[Place]
) -> tuple[float, float] | None:
    """(distance in relative position, change) of the nearest control in a response."""
    best: tuple[float, int] | None = None
    for first in words:
        distance, span = abs(first / other.num_tokens - wanted.share), wanted.span(first)
        if distance > NEAR or span.first < 0 or span.last >= other.num_tokens:
            continue
        has_reflection = any(one.first <= span.last and one.last >= span.first for one in taken)
        if not has_reflection and (best is None or distance < best[0]):
            best = (distance, first)
    if best is None:
        return None
    place = Place(best[1], best[1] + wanted.width - 1)
    return best[0], change_at(other, place, before=wanted.before, after=wanted.after)


def _word_starts(response: AssessedResponse) -> list[int]:
    """Tokens that begin a word: behind white space, or with it."""
    text, found = response.text, []
    for at, start in enumerate(response.char_starts.tolist()):
        if start < len(text) and (start == 0 or text[start - 1].isspace() or text[start].isspace()):
            found.append(at)
    return found
