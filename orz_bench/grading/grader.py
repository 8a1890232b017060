"""Grader: from responses and golds to grades. The one grader for benchmarks and for rewards."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Self

from orz_bench.errors import ConfigError
from orz_bench.grading.answer_text import fault_of, normalise
from orz_bench.grading.choice import choice_answer, letter_in
from orz_bench.grading.extract import EXTRACTORS
from orz_bench.grading.fast_path import quick_verdict
from orz_bench.grading.pool import Decision, Job, WorkerPool
from orz_bench.records.rollout import AnswerKind, Grade, Problem

GRADER_VERSION = "1"
"""Changes whenever a verdict could; part of every protocol fingerprint."""

_MEMO_ENTRIES = 200_000
_LASTING = ("correct", "wrong", "unparseable")
"""Verdicts that do not depend on how busy the machine was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A response to grade, with what it is graded against."""

    gold: str
    kind: AnswerKind
    num_choices: int = 0
    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldFault:
    """A gold that does not accept itself as an answer."""

    problem_id: str
    gold: str
    why: str


class Grader:
    """Grades responses; a context manager, to be shared by threads.

    Equality is Math-Verify's, in worker processes that are killed when an answer takes longer than `deadline_s` seconds
    and limited to `memory_gib` each. `strict` closes Math-Verify's known false positives (docs/grading.md).
    """

    def __init__(
        self,
        *,
        extractor: str = "final",
        num_workers: int | None = None,
        deadline_s: float = 5.0,
        memory_gib: float = 1.0,
        strict: bool = True,
    ) -> None:
        if extractor not in EXTRACTORS:
            raise ConfigError(f"extractor {extractor!r} is unknown, wanted one of {', '.join(EXTRACTORS)}.")
        self.extractor = extractor
        self.second_extractor = "orz" if extractor == "boxed" else "boxed"
        self._strict = strict
        self._memo: OrderedDict[tuple[str, str], Decision] = OrderedDict()
        self._lock = Lock()
        workers = num_workers or len(os.sched_getaffinity(0))
        self._pool = WorkerPool(num_workers=workers, deadline_s=deadline_s, memory_gib=memory_gib)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the worker processes; safe to call twice."""
        self._pool.close()

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        """One grade a submission, in order."""
        first = [self._extract(submission, self.extractor) for submission in submissions]
        second = [self._extract(submission, self.second_extractor) for submission in submissions]
        wanted = {
            (normalise(submission.gold), normalise(answer))
            for submission, *answers in zip(submissions, first, second, strict=True)
            for answer in answers
            if answer is not None and submission.kind == "math"
        }
        decided = self._decide(wanted)

        def decision(submission: Submission, answer: str | None) -> Decision:
            if submission.kind == "choice":
                return _letter_decision(submission, answer)
            if answer is None:
                return Decision("no_answer", "")
            return decided[normalise(submission.gold), normalise(answer)]

        return [
            self._grade(decision(submission, one), one, decision(submission, two), two)
            for submission, one, two in zip(submissions, first, second, strict=True)
        ]

    def equal(self, pairs: Sequence[tuple[str, str]]) -> list[Decision]:
        """Decisions for (gold, prediction) pairs of free text, in which Math-Verify itself looks for the answers."""
        faults = [fault_of(prediction) for _, prediction in pairs]
        jobs = [Job(gold=g, answer=p, strict=self._strict, free_text=True) for g, p in pairs]
        decisions = iter(self._pool.decide([job for job, fault in zip(jobs, faults, strict=True) if fault is None]))
        return [Decision("unparseable", fault) if fault is not None else next(decisions) for fault in faults]

    def check_golds(self, problems: Sequence[Problem]) -> list[GoldFault]:
        """The problems whose gold, boxed as a perfect answer would box it, is not graded correct by Math-Verify itself."""
        faults: list[GoldFault] = []
        asked: list[tuple[Problem, Job]] = []
        for problem in problems:
            gold = normalise(problem.gold)
            fault = _gold_fault(problem, gold)
            if fault is not None:
                faults.append(GoldFault(problem_id=problem.problem_id, gold=problem.gold, why=fault))
            elif problem.kind == "math" and not gold.isdecimal():
                asked.append((problem, Job(gold=gold, answer=gold, strict=self._strict)))
        decisions = self._pool.decide([job for _, job in asked])
        return faults + [
            GoldFault(problem_id=problem.problem_id, gold=problem.gold, why=f"{decision.verdict}: {decision.why}")
            for (problem, _), decision in zip(asked, decisions, strict=True)
            if decision.verdict != "correct"
        ]

    def _extract(self, submission: Submission, extractor: str) -> str | None:
        if submission.kind == "choice":
            return choice_answer(submission.response, extractor, submission.num_choices)
        return EXTRACTORS[extractor](submission.response)

    def _grade(self, first: Decision, answer: str | None, second: Decision, second_answer: str | None) -> Grade:
        why = first.why or f"no answer under the extractor {self.extractor!r}"
        return Grade(
            verdict=first.verdict,
            why=why,
            extracted=answer,
            second_extractor=self.second_extractor,
            second_extracted=second_answer,
            second_verdict=second.verdict,
        )

    def _decide(self, pairs: set[tuple[str, str]]) -> dict[tuple[str, str], Decision]:
        """Decisions for normalised (gold, answer) pairs: memo, fast path, and the workers for the rest."""
        decided: dict[tuple[str, str], Decision] = {}
        unknown: list[tuple[str, str]] = []
        for pair in sorted(pairs):
            known = self._known(pair)
            if known is not None:
                decided[pair] = known
            else:
                unknown.append(pair)
        jobs = [Job(gold=gold, answer=answer, strict=self._strict) for gold, answer in unknown]
        fresh = dict(zip(unknown, self._pool.decide(jobs), strict=True)) if jobs else {}
        with self._lock:
            self._memo.update((pair, found) for pair, found in fresh.items() if found.verdict in _LASTING)
            while len(self._memo) > _MEMO_ENTRIES:
                self._memo.popitem(last=False)
        return decided | fresh

    def _known(self, pair: tuple[str, str]) -> Decision | None:
        gold, answer = pair
        if not answer:
            return Decision("no_answer", "the answer is empty")
        fault = fault_of(answer)
        if fault is not None:
            return Decision("unparseable", fault)
        quick = quick_verdict(gold, answer)
        if quick is not None:
            return Decision("correct" if quick[0] else "wrong", quick[1])
        with self._lock:
            return self._memo.get(pair)


def _letter_decision(submission: Submission, letter: str | None) -> Decision:
    if letter is None:
        return Decision("no_answer", "no option's letter is boxed or named")
    if letter == letter_in(submission.gold, submission.num_choices):
        return Decision("correct", "the right letter")
    return Decision("wrong", f"another letter than {submission.gold}")


def _gold_fault(problem: Problem, gold: str) -> str | None:
    if not gold:
        return "the gold is empty"
    if problem.kind == "choice":
        is_letter = letter_in(problem.gold, problem.num_choices) == problem.gold
        return None if is_letter else f"not one of the letters A to {chr(ord('A') + problem.num_choices - 1)}"
    return fault_of(gold)
