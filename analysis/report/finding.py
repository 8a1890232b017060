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
    wanted: Answer = "yes"
    """The answer that is good news."""

    @property
    def news(self) -> Literal["good", "bad", "unclear", "unknown"]:
        """What the answer means for a run, which the colour of the finding shows."""
        if self.answer in ("unclear", "unknown"):
            return self.answer
        return "good" if self.answer == self.wanted else "bad"
