"""What two models can solve in several samples, as a finding of the report and as a table for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.table import Table

from analysis.boundary.crossing import LEAST_QUESTIONS, Crossing
from analysis.boundary.study import BoundaryStudy, PassTest
from analysis.boundary.support import Moved, Support
from analysis.report.finding import Answer, Finding
from analysis.report.wording import p_value, percent, points
from orz_bench.errors import counted

_MOST_NAMED = 3


def boundary_finding(study: BoundaryStudy) -> Finding:
    """Whether training narrowed what the model solves in many samples."""
    crossing = study.crossing
    answers: Mapping[tuple[str, str | None], tuple[Answer, str]] = {
        ("crossing", "run"): ("yes", f"Yes: {study.base} solves more problems than {study.run} {_above(crossing)}."),
        ("crossing", "base"): ("no", f"No, it widens: {study.run} solves more problems {_above(crossing)}."),
        ("none", "run"): ("no", f"No: {study.run} solves more problems at every k up to {study.n}."),
        ("none", "base"): ("yes", f"Yes: {study.base} solves more problems at every k up to {study.n}."),
    }
    unsure: tuple[Answer, str] = ("unclear", f"Inconclusive: {_open(study)}.")
    answer, headline = answers.get((crossing.outcome, crossing.ahead_first), unsure)
    return Finding(
        question=f"Does training narrow what it can solve ({study.benchmark})?",
        answer=answer,
        wanted="no",
        headline=headline,
        details=tuple(f"{name}: {text}." for name, text in _facts(study).items()),
    )


def boundary_table(study: BoundaryStudy) -> Table:
    """The study for people."""
    title = f"{study.benchmark}: {study.run} against {study.base}"
    table = Table(title=title, show_header=False, box=None, title_justify="left")
    for name, text in _facts(study).items():
        table.add_row(name, text)
    return table


def _facts(study: BoundaryStudy) -> dict[str, str]:
    found = {"compared": f"{counted(study.num_questions, 'question')}, {study.n} samples each"}
    if study.differing:
        found["protocols differ"] = "; ".join(study.differing)
    found |= {f"pass@{test.k}": _test(test) for test in study.tests}
    found["crossing"] = _crossing(study.crossing, study)
    found |= _support(study.support, study)
    guessing = study.guessing
    if guessing is None:
        return found | {"guessing": "unknown: the answers of samples are not stored"}
    found["pass@n of guesses"] = (
        f"{percent(guessing.pass_base)} with answers of {study.base}, "
        f"{percent(guessing.pass_run)} with those of {study.run}"
    )
    found["solved no more often than guesses would"] = (
        f"{counted(guessing.explained_base, 'problem')} of {study.base}, {guessing.explained_run:,} of {study.run}"
    )
    found["crossing without these"] = _crossing(guessing.crossing, study)
    return found


def _test(test: PassTest) -> str:
    compared = test.comparison
    return (
        f"{percent(compared.average_a)} to {percent(compared.average_b)}: {points(compared.difference)} points "
        f"({points(compared.low)} to {points(compared.high)}), {p_value(compared.p_value)}, Holm {p_value(test.p_holm)}"
    )


def _above(crossing: Crossing) -> str:
    where = f"k = {crossing.at:.1f}" if crossing.at is not None else "some k"
    return f"above {where} (95 % interval {crossing.low} to {crossing.high})"


def _crossing(crossing: Crossing, study: BoundaryStudy) -> str:
    names = {"run": (study.run, study.base), "base": (study.base, study.run)}
    if crossing.ahead_first is None:
        return _open(study, crossing)
    first, second = names[crossing.ahead_first]
    if crossing.outcome == "none":
        return f"none: {first} is ahead at every k up to {study.n}"
    return f"{first} is ahead below, {second} {_above(crossing)}"


def _open(study: BoundaryStudy, crossing: Crossing | None = None) -> str:
    crossing = crossing or study.crossing
    if study.num_questions < LEAST_QUESTIONS:
        return f"a crossing is looked for with {LEAST_QUESTIONS} questions or more"
    low = "k = 1" if crossing.low is None else f"k = {crossing.low}"
    high = f"k = {study.n}" if crossing.high is None else f"k = {crossing.high}"
    return f"no crossing is shown, and none is excluded from {low} to {high}"


def _support(support: Support, study: BoundaryStudy) -> dict[str, str]:
    found = {
        f"solved by {study.run} alone": _moved(support.entered, study.base),
        f"solved by {study.base} alone": _moved(support.left, study.run),
        "solved by both": f"{support.both:,}",
    }
    neither = f"{support.neither:,}"
    if support.neither_at_most is not None:
        neither += f", each at most {percent(support.neither_at_most)} of samples right"
    return found | {"solved by neither": neither}


def _moved(rows: Sequence[Moved], other: str) -> str:
    if not rows:
        return "none"
    sure = sum(row.is_sure for row in rows)
    named = ", ".join(f"{row.problem_id} ({row.num_right} of {row.num})" for row in rows[:_MOST_NAMED])
    more = ", ..." if len(rows) > _MOST_NAMED else ""
    bound = percent(max(row.other_at_most for row in rows))
    return (
        f"{counted(len(rows), 'problem')}, of which {sure} beyond chance: {named}{more}; {other} is right in at most "
        f"{bound} of its samples there"
    )
