"""How frequent a behaviour is, step by step, corrected for the errors that its detector makes on tagged responses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from analysis.behaviours.agreement import Agreement
from analysis.behaviours.marking import Marked
from analysis.behaviours.prevalence import Corrected, corrected, why_not
from orz_bench.records.intervals import binomial_interval, questions_worth
from orz_bench.records.marks import Mark
from orz_bench.results.statistics import question_error


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPrevalence:
    """One step of one set."""

    step: int
    num: int
    """Responses with a yes or a no."""
    num_questions: int
    num_unclear: int
    """Replies of a judge that are neither."""
    share: float
    low: float
    high: float
    """95 % over questions."""
    corrected: Corrected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BehaviourStudy:
    """One behaviour in one run."""

    name: str
    what: str
    sets: dict[str, tuple[StepPrevalence, ...]]
    """training, or benchmark and protocol; by step."""
    agreement: Agreement | None
    """None without tags."""
    why_uncorrected: str | None
    """None if prevalences are corrected."""

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def behaviour_study(name: str, found: Sequence[Marked], *, what: str, agreement: Agreement | None) -> BehaviourStudy:
    """From the marks of a behaviour, and how its detector agrees with tags."""
    reason = "no tags were given" if agreement is None else why_not(agreement.recall, agreement.specificity)
    usable = agreement if reason is None else None
    sets: dict[str, list[StepPrevalence]] = defaultdict(list)
    for each in found:
        step = _at(each.source.step, list(each.marks.values()), agreement=usable)
        if step is not None:
            sets[each.source.name].append(step)
    return BehaviourStudy(
        name=name,
        what=what,
        sets={set_: tuple(sorted(steps, key=lambda one: one.step)) for set_, steps in sets.items()},
        agreement=agreement,
        why_uncorrected=reason,
    )


def _at(step: int, marks: Sequence[Mark], *, agreement: Agreement | None) -> StepPrevalence | None:
    by_question: dict[str, list[bool]] = defaultdict(list)
    for mark in marks:
        if mark.shows is not None:
            by_question[mark.problem_id].append(mark.shows)
    questions = list(by_question.values())
    num = sum(map(len, questions))
    if not num:
        return None
    share = sum(map(sum, questions)) / num
    worth = _independent(questions, share)
    band = binomial_interval(share, worth)
    fixed = None
    if agreement is not None:
        fixed = corrected(share, worth, recall=agreement.recall, specificity=agreement.specificity)
    return StepPrevalence(
        step=step,
        num=num,
        num_questions=len(questions),
        num_unclear=len(marks) - num,
        share=share,
        low=band.low,
        high=band.high,
        corrected=fixed,
    )


def _independent(questions: Sequence[Sequence[bool]], share: float) -> float:
    """The number of independent responses with as much scatter; all of them where each question has one."""
    num = sum(map(len, questions))
    error = question_error(questions)
    if error is None:
        return 1.0 if len(questions) == 1 else float(num)
    return questions_worth(share, error=error, num_questions=len(questions), num_samples=num)
