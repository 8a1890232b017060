"""Where the value of a wrong answer first falls for good: the first token from which on it stays below a threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from analysis.values.assessed import AssessedResponse

THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall:
    """Of one wrong response."""

    problem_id: str
    sample_index: int
    step: int
    kind: Literal["fell", "never high", "still high"]
    """`never high`: below the threshold from the first token on. `still high`: not below at the last token."""
    token: int | None
    """The first token before which the value is below the threshold and stays there; None for a response still high."""
    num_tokens: int
    around: str
    """The text from 40 characters before that token to 20 behind."""
    final_value: float


def fall_of(response: AssessedResponse, *, threshold: float = THRESHOLD) -> Fall:
    """The fall of a response."""
    high = np.flatnonzero(response.values >= threshold)
    token = int(high[-1]) + 1 if len(high) else 0
    is_high = token == response.num_tokens
    start = 0 if is_high else int(response.char_starts[token])
    return Fall(
        problem_id=response.problem_id,
        sample_index=response.sample_index,
        step=response.step,
        kind="still high" if is_high else "fell" if len(high) else "never high",
        token=None if is_high else token,
        num_tokens=response.num_tokens,
        around="" if is_high else response.text[max(0, start - 40) : start + 20],
        final_value=float(response.values[-1]),
    )
