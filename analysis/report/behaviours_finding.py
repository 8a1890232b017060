"""Which behaviours were marked in a run's responses, as a finding and a table of the report."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.behaviours.agreement import Agreement, Rate
from analysis.behaviours.study import BehaviourStudy, StepPrevalence
from analysis.report.finding import Finding
from analysis.report.tables import Table
from analysis.report.wording import percent

_MOST_STEPS = 5
"""Of a set of rollouts in the table."""
_HOLD = "orz-analysis detect with --tags holds them against people and corrects them."


def behaviours_finding(found: Sequence[BehaviourStudy]) -> Finding:
    """How frequent each was at the beginning and at the end of each set of rollouts, as found and corrected."""
    held = [study for study in found if study.why_uncorrected is None]
    headline = "Shares are what the detectors found, with their errors; "
    if held:
        headline += (
            f"those of {', '.join(study.name for study in held)} are corrected for them, too, by responses that people "
            f"judged (Rogan and Gladen)."
        )
    else:
        headline += _HOLD
    return Finding(
        question="Which behaviours do responses show?",
        answer="unclear",
        headline=headline,
        details=tuple(map(_detail, found)),
    )


def _detail(study: BehaviourStudy) -> str:
    shares = "; ".join(f"{name} {_over(steps)}" for name, steps in study.sets.items())
    return f"{study.name} ({study.what or 'a behaviour of another package'}): {shares}. {_judged(study)}"


def _judged(study: BehaviourStudy) -> str:
    """How the detector agrees with people, or why nothing is corrected."""
    reason = f"Not corrected: {study.why_uncorrected}." if study.why_uncorrected is not None else ""
    one = study.agreement
    if one is None:
        return reason
    rates = ", ".join(
        f"{name} {_rate(rate)}"
        for name, rate in (("precision", one.precision), ("recall", one.recall), ("specificity", one.specificity))
    )
    return f"Against the tag {one.tag} on {_num_judged(one):,} judged responses: {rates}. {reason}".rstrip()


def _num_judged(one: Agreement) -> int:
    return one.both + one.only_detector + one.only_people + one.neither


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.low is None or rate.high is None:
        return "unknown"
    return _band(rate.value, low=rate.low, high=rate.high)


def _over(steps: Sequence[StepPrevalence]) -> str:
    first, last = steps[0], steps[-1]
    shown = f"{_band(last.share, low=last.low, high=last.high)} at step {last.step}"
    if last.corrected is not None:
        fixed = last.corrected
        shown += f", corrected {_band(fixed.value, low=fixed.low, high=fixed.high)}"
    return shown if first is last else f"{percent(first.share)} at step {first.step}, {shown}"


def behaviours_table(found: Sequence[BehaviourStudy], *, run: str = "") -> Table:
    """One row for each behaviour, set of rollouts and step, of many steps a few; those that are corrected first."""
    rows = tuple(
        (
            study.name,
            name,
            f"{step.step:,}",
            f"{step.num:,}",
            _band(step.share, low=step.low, high=step.high),
            "–"
            if step.corrected is None
            else _band(step.corrected.value, low=step.corrected.low, high=step.corrected.high),
        )
        for study in sorted(found, key=lambda one: one.why_uncorrected is not None)
        for name, steps in study.sets.items()
        for step in _few(steps)
    )
    return Table(
        title=f"Behaviours of {run}" if run else "Behaviours",
        headings=("behaviour", "rollouts", "step", "responses", "share found", "corrected"),
        rows=rows,
        note="With 95 % intervals; corrected for the errors of the detector where people judged enough responses.",
    )


def _few(steps: Sequence[StepPrevalence]) -> list[StepPrevalence]:
    if len(steps) <= _MOST_STEPS:
        return list(steps)
    return [steps[round(at * (len(steps) - 1) / (_MOST_STEPS - 1))] for at in range(_MOST_STEPS)]


def _band(value: float, *, low: float, high: float) -> str:
    return f"{percent(value)} ({percent(low)} to {percent(high)})"
