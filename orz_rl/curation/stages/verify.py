"""Rows that a rule-based reward can check: no options, no proofs, golds that the grader accepts as their own answer.

Open-Reasoner-Zero leaves out multiple choice, whose answer can be guessed, and proofs, which no rule grades (section
2.1.1 of its paper).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from orz_bench.benchmarks.own.columns import OPTIONS, normal
from orz_bench.grading.grader import Grader
from orz_bench.records.rollout import Problem
from orz_rl.curation.rows import Fate, Outcome, Row
from orz_rl.curation.settings import VerifySettings
from orz_rl.curation.stages.stage import Decide, RowByRow
from orz_rl.curation.texts import without_figures

_NOT_CALLED = r"(?<![A-Za-z0-9\"])"
_IN_BRACKETS = re.compile(r".+?".join(rf"{_NOT_CALLED}\(\s*{letter}\s*\)" for letter in "ABC"), re.DOTALL)
_WITH_SIGN = re.compile(
    r"(?:^|[\s{$*])A\s?[).]\s?(?=[^\n]).+?[\s{$*;,.?]B\s?[).]\s?.+?[\s{$*;,.?]C\s?[).](?:[\s\\$*}]|\d)", re.DOTALL
)
_LETTER_WANTED = re.compile(
    r"\b(?:enter|write|choose|select|give|answer|mark)\b[^.?!\n]{0,40}\bletters?\b|\bletter of the correct\b",
    re.IGNORECASE,
)
_LETTER = re.compile(r"\W*(?:\\(?:text|mathrm|textbf)(?:bf)?\s*\{)?\W*[A-Ja-j]\W*")
_PROOF = re.compile(
    r"\b(?:prove|disprove)\b|\b(?:show|demonstrate|verify|justify|deduce)\b[^.?!]{0,40}?\bthat\b", re.IGNORECASE
)
_PROOF_START = re.compile(r"^\W*(?:\w{1,3}\W+)?(?:prove|show|demonstrate|justify)\b", re.IGNORECASE)
_ASKS = re.compile(
    r"\?|\b(?:find|determine|compute|calculate|evaluate|how (?:many|much|long|far|old)|what|solve|simplify|express|"
    r"estimate|give|list)\b",
    re.IGNORECASE,
)
_AND_ASKS = re.compile(
    r"\b(?:and|then|also|hence)\W+(?:find|determine|compute|calculate|evaluate|solve)\b", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|\n\s*\n|(?:^|\s)\(?[a-e1-5]\)\s")


@dataclass(frozen=True, slots=True)
class Verify(RowByRow):
    """The stage."""

    settings: VerifySettings
    name = "verify"

    @contextmanager
    def opened(self) -> Iterator[Decide]:
        """See RowByRow; owns the grader's processes."""
        with Grader() as grader:
            yield lambda rows: self._decide(rows, grader)

    def _decide(self, rows: Sequence[Row], grader: Grader) -> Outcome:
        fates = [self._by_text(row) for row in rows]
        if self.settings.self_check:
            kept = [each.row for each in fates if each.is_kept]
            faults = {fault.problem_id: fault.why for fault in grader.check_golds([_problem(row) for row in kept])}
            fates = [_checked(each, faults) for each in fates]
        return Outcome(fates)

    def _by_text(self, row: Row) -> Fate:
        if self.settings.multiple_choice and (found := multiple_choice(row)):
            return Fate(row=row, reason="multiple_choice", evidence={"found": found})
        if self.settings.proofs and (found := asks_for_proof(row.question, row.answer)):
            return Fate(row=row, reason="proof", evidence={"found": found})
        if len(row.answer) > self.settings.max_answer_chars:
            return Fate(row=row, reason="answer_too_long", evidence={"chars": len(row.answer)})
        return Fate(row=row)


def multiple_choice(row: Row) -> str:
    """The sign of multiple choice in a row; empty if there is none."""
    column = next((name for name in row.extra if normal(name) in OPTIONS), None)
    if column is not None and row.extra[column]:
        return f"column {column}"
    text = without_figures(row.question)
    for pattern in (_IN_BRACKETS, _WITH_SIGN):
        if (match := pattern.search(text)) is not None:
            return _shown(match[0])
    wanted = _LETTER_WANTED.search(text)
    if wanted is not None and _LETTER.fullmatch(row.answer):
        return _shown(wanted[0])
    return ""


def asks_for_proof(question: str, answer: str) -> str:
    """The sentence that asks for a proof, if nothing else is asked or the gold stands in it; empty otherwise."""
    if _PROOF.search(question) is None:
        return ""
    sentences = [each for each in _SENTENCE_END.split(without_figures(question)) if each.strip()]
    proofs = [each for each in sentences if _is_proof(each)]
    if not proofs:
        return ""
    gold = _squeezed(answer)
    is_given = len(gold) > 1 and any(gold in _squeezed(each) for each in proofs)
    others = [_PROOF.split(each, maxsplit=1)[0] if each in proofs else each for each in sentences]
    asks = any(map(_ASKS.search, others)) or any(map(_AND_ASKS.search, proofs))
    return _shown(proofs[0]) if is_given or not asks else ""


def _is_proof(sentence: str) -> bool:
    match = _PROOF.search(sentence)
    return match is not None and ("?" not in sentence or _PROOF_START.match(sentence) is not None)


def _squeezed(text: str) -> str:
    return re.sub(r"[\s$]+", "", text)


def _shown(text: str) -> str:
    return " ".join(text.split())[:80]


def _problem(row: Row) -> Problem:
    return Problem(benchmark="", problem_id=row.id, question=row.question, gold=row.answer, kind="math")


def _checked(fate: Fate, faults: dict[str, str]) -> Fate:
    if not fate.is_kept or fate.row.id not in faults:
        return fate
    return Fate(
        row=fate.row, reason="gold_not_gradable", evidence={"gold": fate.row.answer, "why": faults[fate.row.id]}
    )
