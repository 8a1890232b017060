"""Messages between the grader and its worker processes: a job and its reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, Literal

from orz_bench.records.rollout import Verdict

Mode = Literal["answer", "gold", "response", "free"]
"""answer: an extracted answer is compared. gold: the gold is compared with itself. response: the answer is looked for
in a response, as in Math-Verify's own `verify(parse(f"${gold}$"), parse(response))`. free: in both texts, where
mathematics has delimiters."""

Subject = Literal["mathematics", "instructions"]
"""What a pool of workers judges: each subject has its own libraries."""


@dataclass(frozen=True, slots=True)
class Job:
    """A question: is this answer equal to this gold, or does it follow these instructions?"""

    gold: str
    answer: str
    strict: bool
    mode: Mode = "answer"

    def to_line(self) -> bytes:
        """As one line of JSON; lone surrogates and NULs are escaped."""
        return json.dumps(astuple(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Job:
        """The inverse of to_line."""
        return cls(*json.loads(line))


@dataclass(frozen=True, slots=True)
class Reply:
    """The verdict and its reason."""

    verdict: Verdict
    why: str
    worker_ends: bool = False
    """Whether the worker must be replaced (its memory ran out, for example)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Details of the verdict: JSON values only."""

    def to_line(self) -> bytes:
        """As one line of JSON."""
        return json.dumps(astuple(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Reply:
        """The inverse of to_line."""
        return cls(*json.loads(line))
