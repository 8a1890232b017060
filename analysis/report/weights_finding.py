"""How far a run's weights moved between its first and its last kept checkpoint, as a finding of the report."""

from __future__ import annotations

from analysis.report.finding import Finding
from analysis.report.wording import percent
from analysis.weights.moved import MovedWeights


def weights_finding(found: MovedWeights) -> Finding:
    """How many weights moved, how far, and in how many directions."""
    every = found.all
    far = "–" if every.relative is None else percent(every.relative)
    details = []
    if every.effective is not None and every.for_99 is not None:
        details.append(
            f"The differences of matrices have an effective rank of {percent(every.effective)} of the full one, and "
            f"{percent(every.for_99)} of the directions hold 99 % of their squared norm, on average."
        )
    kinds = sorted((kind for kind in found.kinds if kind.relative is not None), key=lambda kind: -(kind.relative or 0))
    if kinds:
        named = ", ".join(f"{kind.kind} {percent(kind.relative or 0)}" for kind in kinds[:3])
        details.append(f"Relative to their norm, these moved most: {named}.")
    return Finding(
        question=f"Which weights moved ({found.a} to {found.b})?",
        answer="yes",
        headline=(
            f"{percent(every.beyond)} of the weights moved by more than {found.tolerance:g}, {percent(every.changed)} "
            f"at all; the difference has {far} of the weights' norm."
        ),
        details=tuple(details),
    )
