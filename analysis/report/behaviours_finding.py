"""Which behaviours were marked in a run's responses, as a finding of the report."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.behaviours.study import BehaviourStudy, StepPrevalence
from analysis.report.finding import Finding
from analysis.report.wording import percent


def behaviours_finding(found: Sequence[BehaviourStudy]) -> Finding:
    """How frequent each was at the beginning and at the end of each set of rollouts."""
    details = tuple(
        f"{study.name} ({study.what or 'a behaviour of another package'}): "
        + "; ".join(f"{name} {_over(steps)}" for name, steps in study.sets.items())
        + "."
        for study in found
    )
    return Finding(
        question="Which behaviours do responses show?",
        answer="unclear",
        headline=(
            "Shares are what the detectors found, with their errors; orz-analysis detect with --tags holds them "
            "against people and corrects them."
        ),
        details=details,
    )


def _over(steps: Sequence[StepPrevalence]) -> str:
    first, last = steps[0], steps[-1]
    shown = f"{percent(last.share)} ({percent(last.low)} to {percent(last.high)}) at step {last.step}"
    return shown if first is last else f"{percent(first.share)} at step {first.step}, {shown}"
