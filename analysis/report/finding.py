"""One question of a report with its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Answer = Literal["yes", "no", "unclear", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A question, the answer in a word, in a sentence, and the numbers behind it."""

    question: str
    answer: Answer
    headline: str
    details: tuple[str, ...] = ()
