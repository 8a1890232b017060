"""What the files of other tools become: samples, each with its place in the file, and curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orz_bench.records.rollout import Verdict

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSample:
    """One response in a file of another tool. What the file does not say is None."""

    row: int
    """Number of its row in the file, from 1."""
    place: int = 0
    """Which of the responses of that row, from 0."""
    completion: str | None
    """None: no response, as where a request failed."""
    has_text: bool = True
    """False for a file from which the texts were removed: no response is not no answer."""
    problem_id: str | None = None
    """None: samples of one question are one problem."""
    sample_index: int | None = None
    """None: in the order of the file."""
    benchmark: str | None = None
    step: int | None = None
    question: str | None = None
    prompt: str | None = None
    gold: str | None = None
    extracted: str | None = None
    verdict: Verdict | None = None
    judge: str = ""
    """What gave the verdict: the tool, and the field of its file."""
    second_extractor: str | None = None
    second_extracted: str | None = None
    second_verdict: Verdict | None = None
    reward: float | None = None
    advantage: float | None = None
    num_tokens: int | None = None
    stop_reason: str | None = None
    run: str | None = None
    """Which of several runs in the file."""
    extra: Row = field(default_factory=dict)
    """Fields without a meaning here, under their own names."""
    columns: Row = field(default_factory=dict)
    """Columns of a rollout as they are, in files that have them: they replace what is said above."""
