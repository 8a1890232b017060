"""Reasons why a rollout is worth a look: one bit each in the index, strongest first.

A reason is an SQL condition on the index's columns; it does not hold if a column is unknown (null).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.reader.gold import END_CHARS

MIN_REASONING_CHARS = 20
"""Characters before the answer, without white space, below which a correct answer has no reasoning."""
HIGH_VALUE, LOW_VALUE = 0.8, 0.2
"""Final values of a critic from which on it was sure that a response is right, or wrong."""

_STORED = frozenset({"reward", "verdict", "second_verdict", "stop_reason", "final_value"})
"""Columns that the parts, or a critic's, hold; all others are measured."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One entry of the suspicious queue."""

    name: str
    title: str
    meaning: str
    condition: str
    """On the columns of app.queries.index."""
    columns: tuple[str, ...]
    """What it looks at: of a rollout that lacks one of them (no text, no verdict, no value) it cannot be told."""

    @property
    def needs_measures(self) -> bool:
        """Whether it cannot be told before the responses are measured."""
        return not _STORED.issuperset(self.columns)


REASONS = (
    Reason(
        "reward_disagrees",
        "reward contradicts verdict",
        "Training rewarded a wrong answer, or gave no reward for a correct one that was not cut.",
        "(reward > 0) <> (verdict = 'correct' AND stop_reason <> 'length')",
        columns=("reward", "verdict"),
    ),
    Reason(
        "right_by_second",
        "right by second extractor",
        "Graded not correct, although the second extractor found a right answer. Math-Verify's own reading of the "
        "whole response is the second one after `orz-bench grade --again RUN --second math-verify`.",
        "second_verdict = 'correct' AND verdict <> 'correct'",
        columns=("second_verdict", "verdict"),
    ),
    Reason(
        "gold_at_end",
        "gold at the end",
        f"Graded not correct, although the last {END_CHARS} characters contain the gold as a separate word.",
        "gold_at_end AND verdict <> 'correct'",
        columns=("gold_at_end", "verdict"),
    ),
    Reason(
        "gold_in_text",
        "gold in the text",
        "Graded wrong, although the response contains the gold as a separate word.",
        "gold_in_text AND verdict <> 'correct'",
        columns=("gold_in_text", "verdict"),
    ),
    Reason(
        "extractors_differ",
        "extractors disagree",
        "The protocol's extractor and the second one lead to different verdicts.",
        "(verdict = 'correct') <> (second_verdict = 'correct')",
        columns=("verdict", "second_verdict"),
    ),
    Reason(
        "value_high_wrong",
        "value high, answer wrong",
        f"Graded not correct, although the critic's value before the last token is {HIGH_VALUE} or more.",
        f"final_value >= {HIGH_VALUE}::FLOAT AND verdict <> 'correct'",
        columns=("final_value", "verdict"),
    ),
    Reason(
        "value_low_right",
        "value low, answer right",
        f"Graded correct and not cut, although the critic's value before the last token is {LOW_VALUE} or less.",
        f"final_value <= {LOW_VALUE}::FLOAT AND verdict = 'correct' AND stop_reason <> 'length'",
        columns=("final_value", "verdict"),
    ),
    Reason(
        "no_reasoning",
        "correct without reasoning",
        f"Correct with fewer than {MIN_REASONING_CHARS} characters and no calculation before the answer.",
        f"verdict = 'correct' AND reasoning_chars < {MIN_REASONING_CHARS} AND NOT shows_work",
        columns=("verdict", "reasoning_chars"),
    ),
    Reason(
        "not_graded",
        "not gradable",
        "The answer could not be parsed, took too long, or made the grader fail.",
        "verdict IN ('unparseable', 'timeout', 'error')",
        columns=("verdict",),
    ),
    Reason(
        "loop",
        "repetition loop",
        "The response ends in a repeated piece of text.",
        "ends_in_loop",
        columns=("ends_in_loop",),
    ),
    Reason(
        "duplicate",
        "duplicate",
        "Another sample of the same question has exactly the same text.",
        "num_same > 1",
        columns=("num_same",),
    ),
    Reason(
        "truncated",
        "truncated",
        "Cut by the token limit.",
        "stop_reason = 'length'",
        columns=("stop_reason",),
    ),
)
"""Strongest first: the page Suspicious sorts rollouts by their first reason."""

BY_NAME = {reason.name: reason for reason in REASONS}


def bit(name: str) -> int:
    """The reason's bit in the column `reasons`; KeyError for an unknown name."""
    return 1 << next(number for number, reason in enumerate(REASONS) if reason is BY_NAME[name])


def reasons_sql() -> str:
    """An expression for the column `reasons`."""
    bits = (f"CASE WHEN {reason.condition} THEN {1 << number} ELSE 0 END" for number, reason in enumerate(REASONS))
    return f"({' + '.join(bits)})::INTEGER"


def names_of(bits: int) -> tuple[str, ...]:
    """The reasons of a row, strongest first."""
    return tuple(reason.name for number, reason in enumerate(REASONS) if bits >> number & 1)
