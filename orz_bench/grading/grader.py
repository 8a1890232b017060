"""Grade responses of any kind: every response goes to the judge of its kind. The same grader serves as a reward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, TypeVar

from orz_bench.errors import ConfigError, nearest
from orz_bench.extraction.rules import EXTRACTOR_NAMES
from orz_bench.grading.jobs import Reply
from orz_bench.grading.judges.judge import Judge, Settings, Submission, replies_under
from orz_bench.grading.judges.judge import grade as grade_one_kind
from orz_bench.grading.judges.mathematics import MathJudge
from orz_bench.grading.judges.programs import ProgramJudge
from orz_bench.grading.judges.registry import JUDGES
from orz_bench.records.rollout import AnswerKind, Grade, Problem, Verdict
from orz_bench.sandbox.limits import Isolation

__all__ = ["GRADER_VERSION", "GoldFault", "Grader", "Submission", "grader_version"]


def grader_version(kind: AnswerKind) -> str:
    """What decides verdicts on answers of this kind: the version of the rules, and of the libraries they rely on."""
    return JUDGES[kind].version()


GRADER_VERSION: str = grader_version("math")
"""Version for mathematics and letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldFault:
    """A gold that no answer could match, or that would end grading whenever an answer is written differently."""

    problem_id: str
    gold: str
    why: str


class _OfAKind(Protocol):
    @property
    def kind(self) -> AnswerKind: ...


_Item = TypeVar("_Item", bound=_OfAKind)
_Found = TypeVar("_Found")


@dataclass(kw_only=True, eq=False, repr=False)
class Grader(Settings):
    """Grades from any thread; a context manager, because it owns processes. Its fields are the settings of its judges.

    No process is started before an answer, or a gold that is checked, needs one.

    Raises ConfigError for a setting that no judge could work with.
    """

    def __post_init__(self) -> None:
        for name in filter(None, (self.extractor, self.second)):
            if name not in EXTRACTOR_NAMES:
                raise ConfigError(
                    f"extractor {name!r} is unknown{nearest(name, EXTRACTOR_NAMES)}; "
                    f"there are {', '.join(EXTRACTOR_NAMES)}."
                )
        self._judges: dict[AnswerKind, Judge] = {kind: entry.open(self) for kind, entry in JUDGES.items()}

    @property
    def identity(self) -> str:
        """Everything that decides a verdict, apart from the answer and its gold."""
        second = f", second {self.second}" if self.second else ""
        return f"{GRADER_VERSION}, extractor {self.extractor}{second}, {'strict' if self.strict else 'not strict'}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for judge in self._judges.values():
            judge.close()

    def check_isolation(self) -> Isolation:
        """What the sandbox provides on this machine. Raises ConfigError if it is too weak and that was not allowed."""
        judge = self._judges["code"]
        assert isinstance(judge, ProgramJudge)
        return judge.check_isolation()

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        """One grade per submission, in order."""
        return self._by_kind(submissions, grade_one_kind)

    def verdicts_under(self, extractor: str, submissions: Sequence[Submission]) -> list[Verdict]:
        """What another rule than this grader's makes of the same responses."""
        replies = self._by_kind(
            submissions, lambda judge, of_kind: replies_under(judge, of_kind, extractors=(extractor,))[0]
        )
        return [reply.verdict for _, reply in replies]

    def equal(self, gold: str, prediction: str) -> Reply:
        """Whether two free texts agree, each with its answer anywhere in it, as Math-Verify takes them."""
        judge = self._judges["math"]
        assert isinstance(judge, MathJudge)
        return judge.equal(gold, prediction)

    def check_golds(self, problems: Sequence[Problem]) -> list[GoldFault]:
        """The golds that would not accept themselves as an answer. Run it before anything is generated."""
        faults = self._by_kind(problems, lambda judge, of_kind: judge.gold_faults(of_kind))
        return [
            GoldFault(problem_id=problem.problem_id, gold=problem.gold, why=why)
            for problem, why in zip(problems, faults, strict=True)
            if why is not None
        ]

    def _by_kind(
        self, items: Sequence[_Item], find: Callable[[Judge, Sequence[_Item]], Sequence[_Found]]
    ) -> list[_Found]:
        """What each kind's judge finds for the items of its kind, in the order of the items."""
        places: dict[AnswerKind, list[int]] = defaultdict(list)
        for place, item in enumerate(items):
            places[item.kind].append(place)
        found: dict[int, _Found] = {}
        for kind, of_kind in places.items():
            found |= zip(of_kind, find(self._judges[kind], [items[place] for place in of_kind]), strict=True)
        return [found[place] for place in range(len(items))]
