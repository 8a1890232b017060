"""What a judge of one kind of answer is, the settings it is opened with, and how its replies become grades.

A judge extracts answers and decides whether they are correct. It handles neither batches of mixed kinds nor grades:
`grade` below combines its replies.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orz_bench.environment import package_version
from orz_bench.errors import ConfigError
from orz_bench.extraction.rules import EXTRACTOR_NAMES, MATH_VERIFY, READERS
from orz_bench.grading.jobs import Reply
from orz_bench.records.program_tests import PackedTests
from orz_bench.records.rollout import AnswerKind, Grade, Problem

RULES = "3"
"""Version of the rules for mathematics, letters and instructions: raised whenever a verdict could change."""
Pair = tuple[str, str]
"""A gold and an answer to compare with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One response to grade."""

    gold: str
    kind: AnswerKind
    num_choices: int
    response: str


@dataclass(kw_only=True, eq=False, repr=False)
class Settings:
    """Settings of a grader. Each judge reads those that concern it."""

    extractor: str = "final"
    second: str | None = None
    """The rule of mathematics or letters whose verdict is reported beside the one that counts; None: the usual one."""
    num_workers: int | None = None
    """Processes or threads of each judge that needs them; None: one per core."""
    deadline_s: float = 5.0
    """CPU time per answer; programs have limits of their own."""
    memory_gib: float = 1.0
    """Memory of each worker process."""
    strict: bool = True
    """Whether Math-Verify's known false positives are rejected; without it, its verdicts are final."""
    tests: Mapping[str, PackedTests] = field(default_factory=dict)
    """Tests of programs by their digest, which is the gold of their problem."""
    allow_weak_isolation: bool = False
    """Whether programs run even if this machine provides only weak sandboxing."""

    @property
    def workers(self) -> int:
        """`num_workers`, or the number of cores this process may use."""
        return self.num_workers if self.num_workers is not None else len(os.sched_getaffinity(0))


class Judge(Protocol):
    """Judges the answers to questions of one kind, from any thread."""

    @property
    def extractors(self) -> tuple[str, str]:
        """The extractor whose answer counts, and the second one, whose verdict is reported beside it."""
        ...

    def extract(self, submission: Submission, extractor: str) -> str | None:
        """The answer in a response, or None."""
        ...

    def judge(self, pairs: Sequence[Pair], *, extractor: str = "") -> Mapping[Pair, Reply]:
        """A reply for every distinct pair. `extractor`: the rule that found the answers."""
        ...

    def without_answer(self, gold: str) -> Reply:
        """The reply to a response in which no answer was found."""
        ...

    def gold_faults(self, problems: Sequence[Problem]) -> list[str | None]:
        """For each problem, why its gold could not be matched by any answer; None for a usable gold."""
        ...

    def close(self) -> None:
        """End all processes; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeEntry:
    """How a judge is opened, and the version of its rules and libraries."""

    open: Callable[[Settings], Judge]
    version: Callable[[], str]


def require_reads(extractor: str, kind: str, *, named: str = "the extractor") -> None:
    """Raise ConfigError for a rule that cannot read answers of this kind. `named`: what the user calls the setting."""
    what, names = READERS.get(kind, ("", EXTRACTOR_NAMES))
    if extractor not in names:
        raise ConfigError(f"{named} {extractor!r} does not read {what}; use one of {', '.join(names)}.")


def grade(judge: Judge, submissions: Sequence[Submission]) -> list[Grade]:
    """One grade per submission, in order; all of the judge's kind."""
    first, second = replies_under(judge, submissions, extractors=judge.extractors)
    return [
        Grade(
            verdict=reply.verdict,
            why=reply.why,
            extracted=answer,
            second_extractor=judge.extractors[1],
            second_extracted=second_answer,
            second_verdict=second_reply.verdict,
            extra=reply.extra,
        )
        for (answer, reply), (second_answer, second_reply) in zip(first, second, strict=True)
    ]


def replies_under(
    judge: Judge, submissions: Sequence[Submission], *, extractors: Sequence[str]
) -> list[list[tuple[str | None, Reply]]]:
    """For each rule: the answer that it finds in each submission, and the reply to it.

    Answers of all rules are judged together; only those of `math-verify` are texts in which the library looks itself.
    """
    answers = {name: [judge.extract(submission, name) for submission in submissions] for name in extractors}
    golds = [submission.gold for submission in submissions]
    replies: dict[tuple[str, Pair], Reply] = {}
    for is_free in (False, True):
        names = [name for name in extractors if (name == MATH_VERIFY) == is_free]
        found = [(gold, answer) for name in names for gold, answer in zip(golds, answers[name], strict=True)]
        pairs = [(gold, answer) for gold, answer in found if answer is not None]
        judged = judge.judge(pairs, extractor=names[0]) if pairs else {}
        replies |= {(name, pair): reply for name in names for pair, reply in judged.items()}
    return [
        [
            (answer, judge.without_answer(gold) if answer is None else replies[name, (gold, answer)])
            for gold, answer in zip(golds, answers[name], strict=True)
        ]
        for name in extractors
    ]


def versions(libraries: Iterable[str]) -> str:
    """The version of the rules, and of the libraries that decide verdicts."""
    found = ", ".join(f"{name} {package_version(name) or 'missing'}" for name in libraries)
    return f"{RULES} ({found})"
