r"""Did the answer change after the first reflection, and for the better?

The candidate, which is the response's answer before its first reflection, is compared with the final extracted answer
and with the gold. The heuristics prefer "unknown" to a guess; see docs/reflection.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from analysis.texts.answer_values import VALUE, same_answer
from analysis.texts.lexicons import Match
from orz_bench.extraction.answers import box_spans

AnswerChange = Literal["helpful", "harmful", "superficial", "wrong_to_wrong", "unknown"]
ANSWER_CHANGES: tuple[AnswerChange, ...] = get_args(AnswerChange)
Evidence = Literal["boxed", "stated", "concluded"]
EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)

_MAX_BOX_CHARS = 500
_END_CHARS = 300
"""Number of characters before the reflection that are searched for a conclusion or for bare arithmetic."""
_ENDS_HERE = r"(?![\w{^]|\\[A-Za-z]|\s{0,3}[-+*/^=<>−]\s{0,3}\w)"
"""What follows a value that is not the beginning of a longer expression such as `3x`, `3\\sqrt{2}` or `3 + y`."""
_DRESS = r"(?:[\s:$*({\[]|\\[(\[]){0,8}+"
_STATED = re.compile(
    rf"(?:answer|Answer|result|Result)\s{{0,3}}+(?:is|:|=|should be|would be|must be){_DRESS}"
    rf"({VALUE}{_ENDS_HERE}|[A-J](?!\s?[\w'])){_ENDS_HERE}"
)
_CONCLUDED = re.compile(
    rf"\b(?:[Ss]o|[Tt]hus|[Tt]herefore|[Hh]ence)\b[^.!?\n]{{0,200}}\bis{_DRESS}(?:[A-Za-z] ?= ?)?"
    rf"({VALUE})(?:[\s$*)\\\]}}.,;:!?—-]|\b[a-z]{{1,12}}\b){{0,12}}$"
)
_WORD = re.compile(r"[A-Za-z]{2}")
_LAST_VALUE = re.compile(rf"(?:^|(?<=[\s=$(])){_DRESS}({VALUE})[\s$*)\\\].,;:!?]{{0,8}}+$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """The answer of a response before it reflected."""

    answer: str
    evidence: Evidence


def candidate_before(text: str, end: int) -> Candidate | None:
    r"""The last answer in `text[:end]`, or None. Linear in the length of the text.

    boxed      content of the last `\boxed{...}` that closes
    stated     else the value after the last "answer is", "result:" or similar; or the value at the end of a text
               without a single word, such as `12.` or `3+4=7, 7+8=15.`
    concluded  else the value at the end of "So ... is x", "Thus", "Therefore", "Hence"

    A value after a mere "=" is not a candidate: in long responses it is more often a step than an answer.
    """
    before = text[:end]
    if box := _last_box(before):
        return Candidate(box, "boxed")
    stated = [found[1] for found in _STATED.finditer(before)]
    if stated:
        return Candidate(stated[-1], "stated")
    if len(before) <= _END_CHARS and not _WORD.search(before) and (last := _LAST_VALUE.search(before)):
        return Candidate(last[1], "stated")
    concluded = _CONCLUDED.search(before[-_END_CHARS:])
    return Candidate(concluded[1], "concluded") if concluded else None


def _last_box(text: str) -> str | None:
    spans = [span for span in box_spans(text) if span[1] - span[0] <= _MAX_BOX_CHARS]
    return (text[slice(*spans[-1])].strip() or None) if spans else None


def classify_change(candidate: str | None, *, final: str | None, gold: str | None, is_correct: bool) -> AnswerChange:
    """How the candidate changed.

    superficial     the final answer is the candidate, or both are correct
    helpful         wrong -> correct: the final answer is correct and differs from the candidate
    harmful         correct -> wrong: the candidate equals the gold, and the final answer is graded wrong or missing
    wrong_to_wrong  the answer changed, and neither is correct
    unknown         no candidate, or an undecidable comparison
    """
    if candidate is None:
        return "unknown"
    is_same = same_answer(candidate, final) if final is not None else None
    was_right = same_answer(candidate, gold) if gold is not None else None
    if is_same or (was_right and is_correct):
        return "superficial"
    if was_right:
        return "harmful"
    if is_same is False and is_correct:
        return "helpful"
    return "wrong_to_wrong" if is_same is False and was_right is False else "unknown"


def answer_change_features(batch: pd.DataFrame, first_matches: Sequence[Match | None]) -> pd.DataFrame:
    """One row per response, two categories, both <NA> if the response does not reflect.

    answer_change   one of ANSWER_CHANGES; unknown if there is no verdict
    answer_evidence where the candidate was found, one of EVIDENCE; <NA> without a candidate
    """
    rows = [
        _change(row, match) if match else (None, None) for row, match in zip(_facts(batch), first_matches, strict=True)
    ]
    return pd.DataFrame(
        {
            "answer_change": pd.Categorical([change for change, _ in rows], categories=ANSWER_CHANGES),
            "answer_evidence": pd.Categorical([evidence for _, evidence in rows], categories=EVIDENCE),
        },
        index=batch.index,
    )


@dataclass(frozen=True, slots=True)
class _Facts:
    text: str
    final: str | None
    gold: str | None
    verdict: str | None


def _facts(batch: pd.DataFrame) -> list[_Facts]:
    columns = (
        [value if isinstance(value, str) else None for value in batch[name]] if name in batch.columns else None
        for name in ("extracted", "gold", "verdict")
    )
    missing: list[str | None] = [None] * len(batch)
    filled = [missing if column is None else column for column in columns]
    return [_Facts(*row) for row in zip(batch["completion"], *filled, strict=True)]


def _change(facts: _Facts, match: Match) -> tuple[AnswerChange, Evidence | None]:
    candidate = candidate_before(facts.text, match.start)
    if candidate is None or facts.verdict is None:
        return "unknown", candidate.evidence if candidate else None
    change = classify_change(
        candidate.answer, final=facts.final, gold=facts.gold, is_correct=facts.verdict == "correct"
    )
    return change, candidate.evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerChanges:
    """How the answers of reflecting responses changed."""

    num_reflecting: int
    counts: Mapping[AnswerChange, int]
    """The counts add up to `num_reflecting`."""
    by_evidence: Mapping[Evidence, Mapping[AnswerChange, int]]
    """The same counts by where the candidate was found."""


def count_answer_changes(features: pd.DataFrame) -> AnswerChanges:
    """Counts over the reflecting responses of a features frame."""
    changes, evidence = features["answer_change"], features["answer_evidence"]
    return AnswerChanges(
        num_reflecting=int(changes.notna().sum()),
        counts=_counts(changes),
        by_evidence={kind: _counts(changes[evidence == kind]) for kind in EVIDENCE},
    )


def _counts(changes: pd.Series) -> dict[AnswerChange, int]:
    found = changes.value_counts()
    return {change: int(found.get(change, 0)) for change in ANSWER_CHANGES}
