"""A value among words that make it another answer: negations, bounds, comparisons, alternatives, hedges."""

from __future__ import annotations

from collections.abc import Iterator

_HEDGES = (
    "not {}",
    r"\text{{not }} {}",
    "{} is wrong",
    "it is not {}",
    "the answer is not {}",
    "less than {}",
    "more than {}",
    "at least {}",
    "at most {}",
    r"\text{{at least }} {}",
    "up to {}",
    "no more than {}",
    "greater than {}",
    "about {}",
    "approximately {}",
    "roughly {}",
    "maybe {}",
    "probably {}",
    "perhaps {}",
    "I think {}",
    "{} or so",
    "{}, or perhaps something else",
    "either {} or 987654",
    "{} or 987654",
    "{} and 987654",
    r"{} \text{{ or }} 987654",
    r"{} \quad 987654",
    "between {} and 987654",
    "{} to 987654",
    "anything but {}",
    "except {}",
    "I doubt that it is {}",
    r"\neq {}",
    "> {}",
    r"\geq {}",
    "{}?",
    "~~{}~~",
    r"\cancel{{{}}}",
    "not sure, but {}",
    "if not 987654 then {}",
    "{} is incorrect",
    "{} is one of the answers",
    "it cannot be {}",
    "twice {}",
    "{} plus 987654",
)


def hedges(gold: str) -> Iterator[str]:
    """The gold in 45 sentences none of which gives it as the answer."""
    for hedge in _HEDGES:
        yield hedge.format(gold)
