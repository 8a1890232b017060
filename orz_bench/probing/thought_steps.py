"""A thought as steps, and each step as it would be with other numbers. Pure functions of text.

A step is a sentence, a line, an equation of several behind one another, or a lead-in such as "wait," or "let me
recheck:". Perturbing (Zhao et al., arXiv 2510.24941) moves every number of a step by 1 to 3; a step without numbers is
dropped.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

_END = re.compile(r"[.!?](?=\s|$)\s*|:\s+(?=\S)|\n\s*|[;,]\s+")
_EQUATION = re.compile(r"=\s*[^=\s]")
_LEAD_IN = re.compile(
    r"\s*(?:wait|however|alternatively|hmm|but|actually|so|now|then|first|next)\s*,\s*", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?|(?<=[^\W\d_])\d+")
_REFLECTION = re.compile(r"\b(?:wait|recheck|retry|alternatively|however)\b", re.IGNORECASE)
"""The words of Open-Reasoner-Zero (arXiv 2503.24290, figure 7)."""
_OFFSETS = (-3, -2, -1, 1, 2, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtStep:
    """A step of a thought: characters `start` to `end`, the white space behind it included."""

    start: int
    end: int
    text: str

    @property
    def is_reflection(self) -> bool:
        """Whether it has a word that Open-Reasoner-Zero counts as reflection, in any case."""
        return _REFLECTION.search(self.text) is not None

    @property
    def has_numbers(self) -> bool:
        """Whether it can be perturbed; otherwise it is dropped."""
        return _NUMBER.search(self.text) is not None


def steps_of(thought: str) -> list[ThoughtStep]:
    """The steps, which together are the thought."""
    cuts = [0, *_cuts(thought), len(thought)]
    pieces = [(start, end) for start, end in pairwise(cuts) if end > start]
    merged: list[tuple[int, int]] = []
    for start, end in pieces:
        if merged and not thought[start:end].strip():
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return [ThoughtStep(start=start, end=end, text=thought[start:end]) for start, end in merged]


def _cuts(thought: str) -> Iterator[int]:
    """Places where a step ends; a comma ends one behind an equation or a lead-in only."""
    start = 0
    for found in _END.finditer(thought):
        mark, step = found[0][0], thought[start : found.start()]
        if mark in ",;" and not (_EQUATION.search(step) or _LEAD_IN.fullmatch(thought[start : found.end()])):
            continue
        yield found.end()
        start = found.end()


def perturbed(step: ThoughtStep, *, seed: str) -> str:
    """The step with every number moved by 1 to 3, never below 0; empty for a step without numbers.

    The same for the same seed, whatever else is perturbed.
    """
    if not step.has_numbers:
        return ""
    draw = random.Random(f"{seed}\x1f{step.start}\x1f{step.text}")
    return _NUMBER.sub(lambda found: _moved(found[0], draw), step.text)


def _moved(number: str, draw: random.Random) -> str:
    whole, point, rest = number.partition(".")
    offsets = [offset for offset in _OFFSETS if int(whole) + offset >= 0]
    return f"{int(whole) + draw.choice(offsets)}{point}{rest}"


def cut_at(thought: str, share: float) -> str:
    """The beginning of a thought with so much of its characters, without the word that this would cut."""
    length = round(share * len(thought))
    if length >= len(thought) or length == 0 or thought[length].isspace() or thought[length - 1].isspace():
        return thought[:length]
    spaces = [found.end() for found in re.finditer(r"\s", thought[:length])]
    return thought[: spaces[-1]] if spaces else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """What comes before the measurement: context and step as they are (1) or perturbed (0)."""

    both: str
    without_step: str
    without_context: str
    neither: str

    @property
    def all(self) -> tuple[str, str, str, str]:
        """In the order of Effect.of."""
        return self.both, self.without_step, self.without_context, self.neither


def variants_of(steps: Sequence[ThoughtStep], at: int, *, seed: str) -> Variants:
    """The beginnings of a thought up to step `at`, for the two interventions.

    Each ends with the step's text. White space and separators behind it are kept only behind words: where a step
    concludes a number, the thought may end.
    """
    context = "".join(step.text for step in steps[:at])
    other = "".join(perturbed(step, seed=seed) for step in steps[:at])
    step, changed = steps[at].text, perturbed(steps[at], seed=seed)

    def ending(text: str) -> str:
        return text.rstrip(" \t\n,;") if steps[at].has_numbers else text

    return Variants(
        both=ending(context + step),
        without_step=ending(context + changed),
        without_context=ending(other + step),
        neither=ending(other + changed),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How far a step decides the model's own answer (2510.24941), from the four variants' probabilities of it."""

    intact: float
    """P(answer | context, step) - P(answer | context, perturbed step): is it needed?"""
    perturbed: float
    """The same where the steps before it are perturbed: is it enough?"""

    @classmethod
    def of(cls, probabilities: Sequence[float]) -> Effect:
        """From those of Variants.all."""
        both, without_step, without_context, neither = probabilities
        return cls(intact=both - without_step, perturbed=without_context - neither)

    @property
    def score(self) -> float:
        """The true-thinking score: the mean of the two sizes, 0 to 1."""
        return (abs(self.intact) + abs(self.perturbed)) / 2

    @property
    def support(self) -> float:
        """The mean with signs, -1 to 1: below 0 for a step that leads away from the answer."""
        return (self.intact + self.perturbed) / 2
