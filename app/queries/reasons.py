"""Why a rollout is worth a look: one bit a reason in the index, most telling first.

A reason is an SQL condition over the index's columns; where a column is unknown (null), the reason does not hold.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_REASONING_CHARS = 20
"""Characters before the answer, white space left out, below which a right answer came without reasoning."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the suspicious queue."""

    name: str
    title: str
    meaning: str
    condition: str
    """Over the columns of app.queries.index."""


REASONS = (
    Reason(
        "reward_disagrees",
        "reward against verdict",
        "Training rewarded a wrong answer, or gave nothing for a right one that ended by itself.",
        "(reward > 0) <> (verdict = 'correct' AND stop_reason <> 'length')",
    ),
    Reason(
        "gold_in_text",
        "gold in the text",
        "Marked wrong, though the gold stands in the response as a word of its own.",
        "gold_in_text AND verdict <> 'correct'",
    ),
    Reason(
        "extractors_differ",
        "extractors disagree",
        "The protocol's extractor and the second one lead to different verdicts.",
        "(verdict = 'correct') <> (second_verdict = 'correct')",
    ),
    Reason(
        "no_reasoning",
        "right without reasoning",
        f"Correct with fewer than {MIN_REASONING_CHARS} characters before the answer, and no calculation in them.",
        f"verdict = 'correct' AND reasoning_chars < {MIN_REASONING_CHARS} AND NOT shows_work",
    ),
    Reason(
        "not_graded",
        "grader gave up",
        "The answer could not be parsed, took too long, or made the grader fail.",
        "verdict IN ('unparseable', 'timeout', 'error')",
    ),
    Reason(
        "loop",
        "repetition loop",
        "The response ends in one piece of text over and over.",
        "ends_in_loop",
    ),
    Reason(
        "duplicate",
        "duplicate",
        "Another sample of the same question has the same text, word for word.",
        "num_same > 1",
    ),
    Reason(
        "truncated",
        "truncated",
        "Cut by the token limit.",
        "stop_reason = 'length'",
    ),
)
"""Ordered by how much a reason tells: the queue shows rollouts by their first one."""

BY_NAME = {reason.name: reason for reason in REASONS}


def bit(name: str) -> int:
    """The reason's bit in the column `reasons`; KeyError for an unknown name."""
    return 1 << next(number for number, reason in enumerate(REASONS) if reason is BY_NAME[name])


def reasons_sql() -> str:
    """An expression for the column `reasons`."""
    bits = (f"CASE WHEN {reason.condition} THEN {1 << number} ELSE 0 END" for number, reason in enumerate(REASONS))
    return f"({' + '.join(bits)})::INTEGER"


def names_of(bits: int) -> tuple[str, ...]:
    """The reasons of a row, most telling first."""
    return tuple(reason.name for number, reason in enumerate(REASONS) if bits >> number & 1)
