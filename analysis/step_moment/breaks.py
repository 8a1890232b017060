"""What is found: breaks of one metric, and breaks that several metrics share."""

from __future__ import annotations

from dataclasses import dataclass

from analysis.step_moment.shapes import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A sudden change of a metric's level or slope."""

    metric: str
    step: float
    """Where half of the change is done."""
    low: float
    high: float
    """95 % interval of the step."""
    kind: Kind
    size: float
    """Change of the level in the metric's units, or of the slope in units a step; signed."""
    p_value: float
    """Against a smooth trend with autocorrelated noise and the other breaks, but without this one."""
    rebound: bool
    """A rise that reaches no more than there was before an earlier fall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointBreak:
    """Breaks of at least two metrics that fall together."""

    step: float
    low: float
    high: float
    """The first and the last of the breaks."""
    metrics: tuple[str, ...]
    p_value: float
    """That these metrics' breaks fall together, against the same breaks of each turned around the run at random."""
