"""A question of a report and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["yes", "no", "unclear", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A question, its answer as a word and as a sentence, and the numbers behind it."""

    question: str
    answer: Answer
    headline: str
    details: tuple[str, ...] = ()
